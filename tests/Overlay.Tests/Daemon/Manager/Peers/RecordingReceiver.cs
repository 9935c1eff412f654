using System.Collections.Concurrent;
using System.Threading.Channels;
using Overlay.Daemon.Manager.Peers;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Daemon.Manager.Peers;

/// <summary>A member without a core: it keeps what comes, and knows which node is which member.</summary>
internal sealed class RecordingReceiver(PeerSelf self) : IPeerReceiver
{
    private readonly Channel<RaftMessage> messages = Channel.CreateUnbounded<RaftMessage>();
    private readonly Channel<(RaftMessage Announcement, byte[] Snapshot)> snapshots = Channel.CreateUnbounded<(RaftMessage, byte[])>();
    private readonly Channel<MemberId> unreachable = Channel.CreateUnbounded<MemberId>();
    private readonly Channel<MemberId> gone = Channel.CreateUnbounded<MemberId>();

    public PeerSelf Self { get; set; } = self;

    /// <summary>Of every message that ever came.</summary>
    public ConcurrentQueue<MemberId> Senders { get; } = new();

    public Dictionary<MemberId, NodeId> Members { get; } = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public string? FaultOf(MemberId member, NodeId node) =>
        Members.TryGetValue(member, out NodeId known) && known == node ? null : $"Node {node} is not member {member}.";

    public bool Receive(in RaftMessage message)
    {
        Senders.Enqueue(message.From);
        return messages.Writer.TryWrite(message);
    }

    public bool ReceiveSnapshot(in RaftMessage announcement, ReadOnlyMemory<byte> snapshot) =>
        snapshots.Writer.TryWrite((announcement, snapshot.ToArray()));

    public void Unreachable(MemberId member) => unreachable.Writer.TryWrite(member);

    public void Gone(MemberId member) => gone.Writer.TryWrite(member);

    public ValueTask<RaftMessage> NextAsync() => messages.Reader.ReadAsync(Cancelled);

    public bool IsEmpty => !messages.Reader.TryPeek(out _);

    public ValueTask<(RaftMessage Announcement, byte[] Snapshot)> SnapshotAsync() => snapshots.Reader.ReadAsync(Cancelled);

    public ValueTask<MemberId> UnreachableAsync() => unreachable.Reader.ReadAsync(Cancelled);

    public ValueTask<MemberId> GoneAsync() => gone.Reader.ReadAsync(Cancelled);
}

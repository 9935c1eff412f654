using System.Collections.Immutable;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>The ways to all other managers. Changed and sent to by one thread; looked at by any.</summary>
internal sealed class PeerLinks(PeerLinksOptions options) : IPeerLinks, IAsyncDisposable
{
    private readonly List<Task> closing = [];
    private volatile ImmutableDictionary<ulong, Link> links = [];

    /// <summary>A member that is new or has moved gets connections; one that is gone loses them.</summary>
    public void Update(IReadOnlyCollection<PeerAddress> peers)
    {
        ImmutableDictionary<ulong, Link>.Builder next = ImmutableDictionary.CreateBuilder<ulong, Link>();
        foreach (PeerAddress peer in peers)
        {
            next[peer.Member.Value] = links.TryGetValue(peer.Member.Value, out Link? present) && present.Peer == peer
                ? present
                : new(peer, options);
        }

        ImmutableDictionary<ulong, Link> before = links;
        links = next.ToImmutable();
        closing.RemoveAll(static t => t.IsCompleted);
        closing.AddRange(before.Values.Where(l => links.GetValueOrDefault(l.Peer.Member.Value) != l).Select(static l => l.DisposeAsync().AsTask()));
    }

    /// <returns>False: there is no room, or no such member.</returns>
    public bool TrySend(MemberId to, RaftLane lane, in RaftMessage message) =>
        links.TryGetValue(to.Value, out Link? link) && (lane == RaftLane.Urgent ? link.Urgent : link.Bulk).TrySend(message);

    /// <summary>Both lanes are open.</summary>
    public bool IsConnected(MemberId member) =>
        links.TryGetValue(member.Value, out Link? link) && link.Urgent.IsConnected && link.Bulk.IsConnected;

    /// <returns>Whether the member has it; false also where there is no such member.</returns>
    public Task<bool> SendSnapshotAsync(
        MemberId to, RaftMessage announcement, ReadOnlyMemory<byte> snapshot, CancellationToken cancellationToken) =>
        links.TryGetValue(to.Value, out Link? link)
            ? SnapshotSender.SendAsync(link.Peer, options, announcement, snapshot, cancellationToken)
            : Task.FromResult(false);

    public async ValueTask DisposeAsync()
    {
        Update([]);
        await Task.WhenAll(closing);
    }

    private sealed class Link(PeerAddress peer, PeerLinksOptions options) : IAsyncDisposable
    {
        public PeerAddress Peer => peer;

        public PeerLane Urgent { get; } = new(peer, RaftLane.Urgent, options);

        public PeerLane Bulk { get; } = new(peer, RaftLane.Bulk, options);

        public async ValueTask DisposeAsync()
        {
            await Urgent.DisposeAsync();
            await Bulk.DisposeAsync();
        }
    }
}

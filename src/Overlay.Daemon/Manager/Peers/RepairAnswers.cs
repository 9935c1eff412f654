using System.Buffers;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Repair;
using Overlay.Raft.Wire;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>
/// Answers members whose logs are damaged, each no oftener than it may ask: an answer costs up to 1 MiB, a snapshot the state.
/// </summary>
internal sealed partial class RepairAnswers(IRepairPeer peer, TimeProvider time, ILogger<RepairAnswers> logger)
{
    /// <summary>So many questions of one member are answered in a second, and so many snapshots in ten.</summary>
    public const int MostOfMember = 20;
    private const int MostSnapshots = 4;
    private const int MostMembers = 64;
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private readonly Dictionary<MemberId, Asker> askers = [];

    /// <param name="question">Let in by its hello.</param>
    /// <exception cref="RpcException">It is malformed, or one too many.</exception>
    public async Task<RepairTold> AnswerAsync(RepairQuestion question, CancellationToken cancellationToken)
    {
        if (!RepairWire.TryRead(question, out RepairRequest request))
        {
            throw new RpcException(new(StatusCode.InvalidArgument, $"More than {LogRepair.MostAsked} entries are asked for at once."));
        }

        if (!MayAsk(request.From, static asker => asker.Questions++ < MostOfMember))
        {
            throw new RpcException(new(StatusCode.ResourceExhausted, "This member asks too often."));
        }

        RepairReply reply = await peer.AnswerAsync(request, cancellationToken);
        int whole = reply.Answers.Count(static answer => answer.Fate == RepairFate.Whole);
        if (whole > 0)
        {
            LogGiven(request.From, whole);
        }

        return RepairWire.Write(reply);
    }

    /// <exception cref="RpcException">There is none, or it is one too many.</exception>
    public async Task SendSnapshotAsync(RaftHello hello, IServerStreamWriter<SnapshotChunk> stream, CancellationToken cancellationToken)
    {
        MemberId to = new(hello.From);
        if (!MayAsk(to, static asker => asker.Snapshots++ < MostSnapshots))
        {
            throw new RpcException(new(StatusCode.ResourceExhausted, "This member asks too often."));
        }

        LogSnapshot snapshot = await peer.CaptureAsync(cancellationToken)
            ?? throw new RpcException(new(StatusCode.NotFound, "There is no snapshot here."));
        ArrayBufferWriter<byte> announced = new();
        RaftMessageCodec.Write(
            new()
            {
                Kind = MessageKind.InstallSnapshot,
                From = new(hello.To),
                To = to,
                Term = snapshot.Term,
                Snapshot = snapshot.Mark,
                Configuration = snapshot.Configuration,
            },
            announced);
        await stream.WriteAsync(
            new()
            {
                Announcement = ByteString.CopyFrom(announced.WrittenSpan),
                Length = (ulong)snapshot.Data.Length,
                Digest = ByteString.CopyFrom(SHA256.HashData(snapshot.Data.Span)),
            },
            cancellationToken);
        for (int at = 0; at < snapshot.Data.Length; at += SnapshotSender.ChunkBytes)
        {
            ReadOnlyMemory<byte> data = snapshot.Data.Slice(at, Math.Min(SnapshotSender.ChunkBytes, snapshot.Data.Length - at));
            await stream.WriteAsync(
                new()
                {
                    Offset = (ulong)at,
                    Data = UnsafeByteOperations.UnsafeWrap(data),
                    Checksum = SnapshotSender.Checksum((ulong)at, data.Span),
                },
                cancellationToken);
        }

        LogSnapshotGiven(to, snapshot.Index, snapshot.Data.Length);
    }

    private bool MayAsk(MemberId member, Func<Asker, bool> isLeft)
    {
        long now = time.GetTimestamp();
        lock (gate)
        {
            if (!askers.TryGetValue(member, out Asker? asker))
            {
                if (askers.Count >= MostMembers)
                {
                    // Members are fewer; these are of before.
                    askers.Clear();
                }

                askers[member] = asker = new() { Since = now, SnapshotsSince = now };
            }

            if (time.GetElapsedTime(asker.Since, now) >= Window)
            {
                asker.Since = now;
                asker.Questions = 0;
            }

            if (time.GetElapsedTime(asker.SnapshotsSince, now) >= 10 * Window)
            {
                asker.SnapshotsSince = now;
                asker.Snapshots = 0;
            }

            return isLeft(asker);
        }
    }

    [LoggerMessage(EventId = 780, Level = LogLevel.Information, Message = "Gave {Count} entries to manager {Member}, whose log is damaged")]
    private partial void LogGiven(MemberId member, int count);

    [LoggerMessage(
        EventId = 781, Level = LogLevel.Information,
        Message = "Gave a snapshot of entry {Index}, {Bytes} bytes, to manager {Member}, whose log is damaged")]
    private partial void LogSnapshotGiven(MemberId member, ulong index, int bytes);

    private sealed class Asker
    {
        public long Since { get; set; }

        public int Questions { get; set; }

        public long SnapshotsSince { get; set; }

        public int Snapshots { get; set; }
    }
}

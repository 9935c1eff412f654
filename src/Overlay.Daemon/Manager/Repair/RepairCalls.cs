using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Repair;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Repair;

/// <summary>Asks by the managers' own API, as the other calls between them: each with a connection of its own.</summary>
/// <param name="judge">This manager.</param>
internal sealed class RepairCalls(IPeerJudge judge, NodeIdentity identity, TimeProvider time) : IRepairCalls
{
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan SnapshotTime = TimeSpan.FromMinutes(1);

    public Task<RepairReply> AskAsync(PeerAddress peer, RepairRequest request, CancellationToken cancellationToken) =>
        CallAsync<RepairReply>(peer, AnswerTime, async (client, limit) =>
        {
            RepairTold told = await client.RepairAsync(RepairWire.Write(request, judge.Self), cancellationToken: limit);
            return RepairWire.TryRead(told, peer.Member, judge.Self.Member, out RepairReply? reply)
                ? reply!
                : throw new IOException("its answer cannot be read");
        }, cancellationToken);

    public Task<LogSnapshot> FetchAsync(PeerAddress peer, CancellationToken cancellationToken) =>
        CallAsync<LogSnapshot>(peer, SnapshotTime, async (client, limit) =>
        {
            using AsyncServerStreamingCall<SnapshotChunk> call = client.FetchSnapshot(
                new() { Hello = PeerHello.To(peer.Member, judge.Self, RaftLane.Bulk) }, cancellationToken: limit);
            SnapshotInbox.Arrival arrival = new SnapshotInbox().Begin(peer.Member, await NextAsync(call, limit));
            while (!arrival.IsWhole)
            {
                if (arrival.Add(await NextAsync(call, limit)) is { } fault)
                {
                    throw new IOException(fault);
                }
            }

            RaftMessage announcement = arrival.Announcement;
            return arrival.HasDigest() && announcement is { Configuration: { } members, Snapshot: { Index: > 0 } mark }
                ? new(mark.Index, mark.Term, arrival.Bytes) { Configuration = members }
                : throw new IOException("its snapshot is not what was announced");
        }, cancellationToken);

    private async Task<T> CallAsync<T>(
        PeerAddress peer, TimeSpan longest, Func<V1.Raft.RaftClient, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(longest);
        using GrpcChannel channel = PeerLinksOptions.Open(peer, identity, time);
        try
        {
            return await call(new(channel), limit.Token);
        }
        catch (RpcException e)
        {
            judge.Superseded(PeerHello.EpochIn(e.Trailers));
            cancellationToken.ThrowIfCancellationRequested();
            throw new IOException(e.StatusCode == StatusCode.Cancelled ? "it does not answer in time" : e.Status.Detail.TrimEnd('.'), e);
        }
        catch (Exception e) when (e is InvalidOperationException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            throw new IOException(e is OperationCanceledException ? "it does not answer in time" : e.Message, e);
        }
    }

    private static async Task<SnapshotChunk> NextAsync(AsyncServerStreamingCall<SnapshotChunk> call, CancellationToken cancellationToken) =>
        await call.ResponseStream.MoveNext(cancellationToken)
            ? call.ResponseStream.Current
            : throw new IOException("its snapshot ended before it was whole");
}

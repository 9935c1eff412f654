using System.Collections.Concurrent;
using Google.Protobuf;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// The store's version that each node's gossip goes by, as it said itself since this manager runs. Nodes say it again in
/// every session, and managers say it to whoever leads.
/// </summary>
internal sealed class KeyConfirmations
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly ConcurrentDictionary<string, ulong> versions = new(StringComparer.Ordinal);
    private volatile TaskCompletionSource news = NewSignal();

    public void Confirm(string node, ulong version)
    {
        versions.AddOrUpdate(node, version, (_, before) => Math.Max(before, version));
        news.TrySetResult();
    }

    /// <summary>0: it has not said.</summary>
    public ulong Of(string node) => versions.GetValueOrDefault(node);

    /// <summary>Forgets the nodes that are gone.</summary>
    public void Keep(ClusterState state)
    {
        foreach (string gone in versions.Keys.Where(id => state.Node(id) is null))
        {
            versions.TryRemove(gone, out _);
        }
    }

    /// <summary>Tells every new leader all of it, and what comes later.</summary>
    public async Task RelayAsync(ManagerLoop loop, LeaderProxy leader, TimeProvider time, CancellationToken cancellationToken)
    {
        SortedDictionary<string, ulong> told = new(StringComparer.Ordinal);
        ulong term = 0;
        Task passed = Task.CompletedTask;
        Leadership? passing = null;
        while (true)
        {
            TaskCompletionSource signal = news;
            Leadership now = loop.Leadership;
            if (now.View.Term != term)
            {
                term = now.View.Term;
                told.Clear();
                Keep(loop.State);
            }

            bool isFollower = !now.View.IsLeader && !now.View.Leader.IsNone;
            if (isFollower && !await TellAsync(leader, told, cancellationToken))
            {
                await Task.Delay(Pause, time, cancellationToken);
                continue;
            }

            (passed, passing) = passing == now ? (passed, now) : (now.WaitAsync(cancellationToken), now);
            await (isFollower ? Task.WhenAny(passed, signal.Task) : passed);
            cancellationToken.ThrowIfCancellationRequested();
            if (signal.Task.IsCompleted)
            {
                news = NewSignal();
            }
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<bool> TellAsync(LeaderProxy leader, SortedDictionary<string, ulong> told, CancellationToken cancellationToken)
    {
        foreach ((string node, ulong version) in versions.Where(v => told.GetValueOrDefault(v.Key) < v.Value))
        {
            try
            {
                await leader.CallAsync(
                    "/overlay.v1.Agent/ConfirmKeys", new ConfirmKeysRequest { Version = version }.ToByteArray(), [], NodeId.Parse(node),
                    cancellationToken);
            }
            catch (RpcException e) when (e.StatusCode != StatusCode.PermissionDenied)
            {
                return false;
            }
            catch (RpcException)
            {
                // The node was removed, or this manager: either way nobody waits for it.
            }

            told[node] = version;
        }

        return true;
    }
}

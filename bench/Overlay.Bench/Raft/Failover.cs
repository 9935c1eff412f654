using System.Diagnostics;
using Grpc.Core;

namespace Overlay.Bench.Raft;

/// <summary>
/// From SIGKILL of the leader to the first acknowledgement of a write that was asked for after it. Somebody asks each of the
/// others every 20 ms, whatever became of what was asked before: a request that waits for a leader may wait too long.
/// </summary>
internal static class Failover
{
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public static async Task<Samples> MeasureAsync(RaftCluster cluster, int kills)
    {
        Samples samples = new();
        for (int kill = 0; kill < kills; kill++)
        {
            IRaftClient[] clients = [.. Enumerable.Range(0, RaftCluster.Members).Select(m => cluster.Connect(m, 1))];
            try
            {
                int leader = await cluster.LeaderAsync(clients);
                await Task.WhenAll(clients.Select(CaughtUpAsync));
                long begin = Stopwatch.GetTimestamp();
                await cluster.KillAsync(leader);
                using CancellationTokenSource enough = new(Limit);
                await WrittenAsync([.. clients.Where((_, m) => m != leader)], enough.Token);
                samples.Add(Stopwatch.GetElapsedTime(begin));
                await enough.CancelAsync();
                await cluster.StartAsync(leader);
            }
            finally
            {
                Array.ForEach(clients, static c => c.Dispose());
            }
        }

        return samples;
    }

    /// <summary>Returns with the first acknowledgement.</summary>
    private static async Task WrittenAsync(IReadOnlyList<IRaftClient> clients, CancellationToken limit)
    {
        TaskCompletionSource written = new();
        while (!written.Task.IsCompleted)
        {
            foreach (IRaftClient client in clients)
            {
                _ = TryAsync(client);
            }

            await Task.WhenAny(written.Task, Task.Delay(Again, limit));
            limit.ThrowIfCancellationRequested();
        }

        async Task TryAsync(IRaftClient client)
        {
            try
            {
                await client.WriteAsync(0, limit);
                written.TrySetResult();
            }
            catch (RpcException)
            {
                // Another is on its way.
            }
        }
    }

    /// <summary>Returns when the member has what all before it had written.</summary>
    private static async Task CaughtUpAsync(IRaftClient client)
    {
        using CancellationTokenSource limit = new(Limit);
        while (true)
        {
            try
            {
                await client.ReadAsync(0, limit.Token);
                return;
            }
            catch (RpcException) when (!limit.IsCancellationRequested)
            {
                await Task.Delay(Again, limit.Token);
            }
        }
    }
}

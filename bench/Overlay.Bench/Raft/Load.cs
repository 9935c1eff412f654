using System.Diagnostics;
using Grpc.Core;

namespace Overlay.Bench.Raft;

/// <summary>Callers that ask one after the other, each again as soon as it is answered.</summary>
/// <param name="PerSecond">Answers in the measured time.</param>
/// <param name="Latencies">Of them.</param>
/// <param name="CpuPerThousand">Seconds of processor that all members together took for a thousand of them.</param>
internal sealed record Load(double PerSecond, Samples Latencies, double CpuPerThousand)
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);

    /// <param name="callers">They share connections, ten on each.</param>
    public static async Task<Load> RunAsync(RaftCluster cluster, int member, bool writes, int callers, TimeSpan time)
    {
        int connections = Math.Max(1, callers / 10);
        using IRaftClient client = cluster.Connect(member, connections);
        using CancellationTokenSource end = new();
        Measured measured = new();
        Task<Samples>[] tasks =
            [.. Enumerable.Range(0, callers).Select(c => CallAsync(client, c % connections, writes, measured, end.Token))];
        await Task.WhenAny(Task.Delay(WarmUp), Task.WhenAll(tasks));
        double cpu = cluster.CpuSeconds;
        long begin = Stopwatch.GetTimestamp();
        measured.IsOn = true;
        await Task.WhenAny(Task.Delay(time), Task.WhenAll(tasks));
        measured.IsOn = false;
        TimeSpan elapsed = Stopwatch.GetElapsedTime(begin);
        cpu = cluster.CpuSeconds - cpu;
        await end.CancelAsync();
        Samples all = new();
        foreach (Samples one in await Task.WhenAll(tasks))
        {
            all.Add(one);
        }

        return new(all.Count / elapsed.TotalSeconds, all, 1000 * cpu / all.Count);
    }

    private static async Task<Samples> CallAsync(
        IRaftClient client, int connection, bool writes, Measured measured, CancellationToken end)
    {
        await Task.Yield();
        Samples samples = new();
        while (!end.IsCancellationRequested)
        {
            long begin = Stopwatch.GetTimestamp();
            try
            {
                await (writes ? client.WriteAsync(connection, end) : client.ReadAsync(connection, end));
            }
            catch (RpcException) when (end.IsCancellationRequested)
            {
                break;
            }

            if (measured.IsOn)
            {
                samples.Add(Stopwatch.GetElapsedTime(begin));
            }
        }

        return samples;
    }

    private sealed class Measured
    {
        public volatile bool IsOn;
    }
}

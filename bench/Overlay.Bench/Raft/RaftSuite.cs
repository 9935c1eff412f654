using System.Globalization;

namespace Overlay.Bench.Raft;

/// <summary>Three managers beside three members of etcd, in turns, so that the machine's minutes fall on both.</summary>
/// <param name="lab">The lab's folder; see <see cref="AgentCluster"/>.</param>
/// <param name="tool">deploy/lab.</param>
/// <param name="folder">For etcd's files.</param>
internal sealed class RaftSuite(string lab, string tool, string folder, TimeSpan time, int kills)
{
    private const int Turns = 3;
    private static readonly TimeSpan Warming = TimeSpan.FromSeconds(20);
    private static readonly int[] Writers = [1, 100, 1000];

    /// <summary>So many objects, and nothing else.</summary>
    public static async Task FillAsync(string lab, string tool, int objects)
    {
        const int Callers = 100;
        AgentCluster cluster = new(lab, tool);
        await cluster.CreateNetworkAsync();
        using IRaftClient client = cluster.Connect(await LeaderAsync(cluster), Callers / 10);
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(async caller =>
        {
            for (int done = caller; done < objects; done += Callers)
            {
                await client.WriteAsync(caller / 10, CancellationToken.None);
            }
        }));
    }

    /// <param name="written">Objects that are there already.</param>
    public async Task RunAsync(long written)
    {
        AgentCluster ours = new(lab, tool);
        ours.Skip(written);
        await ours.CreateNetworkAsync();
        using EtcdCluster theirs = new(folder, lab);
        List<RaftCluster> sides = [ours];
        if (EtcdCluster.IsWanted)
        {
            theirs.Create();
            for (int member = 0; member < RaftCluster.Members; member++)
            {
                await theirs.StartAsync(member);
            }

            sides.Add(theirs);
        }

        // A server runs for months: what is measured is not its first seconds, in which one side is still being compiled.
        foreach (RaftCluster side in sides)
        {
            await Load.RunAsync(side, await LeaderAsync(side), writes: true, callers: 100, Warming);
        }

        foreach (int writers in Writers)
        {
            Dictionary<RaftCluster, Side> results = await InTurnsAsync(sides, writes: true, writers);
            Print($"write_{writers}_p50_ms", "ms", results, static r => r.Latencies.Median, "0.00");
            Print($"write_{writers}_p99_ms", "ms", results, static r => r.Latencies.At(0.99), "0.0");
            Print($"write_{writers}_per_s", "1/s", results, static r => r.PerSecond, "0");
            Print($"write_{writers}_cpu_s_per_1000", "s", results, static r => r.CpuPerThousand, "0.000");
        }

        Print("read_100_per_s", "1/s", await InTurnsAsync(sides, writes: false, 100), static r => r.PerSecond, "0");
        await SyncsAsync(sides);

        Dictionary<RaftCluster, Samples> failovers = [];
        foreach (RaftCluster side in sides)
        {
            failovers[side] = kills > 0 ? await Failover.MeasureAsync(side, kills) : new();
        }

        if (kills > 0)
        {
            PrintValues("kill_to_write_p50_ms", "ms", sides, s => failovers[s].Median, "0");
            PrintValues("kill_to_write_p99_ms", "ms", sides, s => failovers[s].At(0.99), "0");
        }

        Dictionary<RaftCluster, double> stops = [];
        foreach (RaftCluster side in sides)
        {
            stops[side] = (await side.StopAsync(await LeaderAsync(side))).TotalMilliseconds;
        }

        PrintValues("stop_leader_ms", "ms", sides, s => stops[s], "0");
    }

    private static async Task<int> LeaderAsync(RaftCluster cluster)
    {
        IRaftClient[] clients = [.. Enumerable.Range(0, RaftCluster.Members).Select(m => cluster.Connect(m, 1))];
        try
        {
            return await cluster.LeaderAsync(clients);
        }
        finally
        {
            Array.ForEach(clients, static c => c.Dispose());
        }
    }

    private async Task<Dictionary<RaftCluster, Side>> InTurnsAsync(IReadOnlyList<RaftCluster> sides, bool writes, int callers)
    {
        Dictionary<RaftCluster, Side> results = sides.ToDictionary(static s => s, static _ => new Side());
        for (int turn = 0; turn < Turns; turn++)
        {
            foreach (RaftCluster side in sides)
            {
                Load load = await Load.RunAsync(side, await LeaderAsync(side), writes, callers, time);
                string what = $"{side.Name} {(writes ? "writes" : "reads")} {callers}";
                await Console.Error.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{what}: {load.PerSecond:0}/s {load.Latencies} cpu {load.CpuPerThousand:0.000} s per 1,000"));
                results[side].Loads.Add(load);
            }
        }

        return results;
    }

    private static async Task SyncsAsync(List<RaftCluster> sides)
    {
        const int Seconds = 3;
        Dictionary<RaftCluster, double?> shares = [];
        foreach (RaftCluster side in sides)
        {
            int leader = await LeaderAsync(side);
            // The load warms up for two seconds; what is counted is in the middle of what it measures.
            Task<Load> load = Load.RunAsync(side, leader, writes: true, 100, TimeSpan.FromSeconds(Seconds + 1));
            await Task.Delay(TimeSpan.FromSeconds(2.3));
            double? syncs = await Syncs.PerSecondAsync(side.Pid(leader), Seconds);
            shares[side] = syncs / (await load).PerSecond;
        }

        if (sides.TrueForAll(s => shares[s] is not null))
        {
            PrintValues("leader_syncs_per_write_100", "", sides, s => shares[s]!.Value, "0.000");
        }
    }

    /// <summary>The middle one of the turns.</summary>
    private static void Print(
        string name, string unit, Dictionary<RaftCluster, Side> results, Func<Load, double> value, string format) =>
        PrintValues(name, unit, [.. results.Keys], s => results[s].Loads.Select(value).Order().ElementAt(Turns / 2), format);

    private static void PrintValues(
        string name, string unit, List<RaftCluster> sides, Func<RaftCluster, double> value, string format)
    {
        string line = $"{name}\t{value(sides[0]).ToString(format, CultureInfo.InvariantCulture)}\t{unit}";
        if (sides.Count > 1)
        {
            line += $"\t{value(sides[1]).ToString(format, CultureInfo.InvariantCulture)}\t{sides[1].Name}";
        }

        Console.Out.WriteLine(line);
    }

    private sealed class Side
    {
        public List<Load> Loads { get; } = [];
    }
}

using System.Globalization;

namespace Overlay.Simulation.Gossip;

/// <summary>What the command line says of an experiment; where it is silent the experiment's own value counts.</summary>
internal sealed class GossipSettings(string[] args)
{
    public int? Nodes => Number("--nodes") is { } n ? (int)n : null;

    public int? Seeds => Number("--seeds") is { } n ? (int)n : null;

    public ulong FirstSeed => Number("--seed") is { } n ? (ulong)n : 1;

    public string? Arm => Text("--arm");

    public bool Verbose => args.Contains("--trace");

    public IEnumerable<ulong> SeedRange(int count) => Enumerable.Range(0, Seeds ?? count).Select(i => FirstSeed + (ulong)i);

    /// <summary>Runs every seed on all processors; the results are in the order of the seeds.</summary>
    public T[] ForEachSeed<T>(int count, Func<ulong, T> run) =>
        [.. SeedRange(count).AsParallel().AsOrdered().WithDegreeOfParallelism(Jobs).Select(run)];

    public int Jobs => Number("--jobs") is { } n ? (int)n : Environment.ProcessorCount;

    public double? Number(string name) =>
        Text(name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : null;

    private string? Text(string name)
    {
        int at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }
}

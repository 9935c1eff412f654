namespace Overlay.Simulation;

/// <summary>How often each thing happened: a simulation in which nothing happens proves nothing.</summary>
internal sealed class Counters
{
    private static readonly string[] Expected =
        ["request granted", "request refused", "detach", "crash", "host crash", "agent down, host up", "pause", "partition",
         "drift in overlays", "drift in sandboxes", "drift in hosts", "drift repaired", "sandbox gone",
         "network created", "network removed", "node left", "node removed", "manager unreachable", "kernel refused",
         "static address", "address reused", "fused verdict", "fused cut", "key Begin", "key Use",
         "key Finish", "key revoked",
         "drain acknowledged", "drain kept back", "check ok", "check failed", "sandbox ill", "backend healthy", "backend unhealthy", "backend unchecked"];

    private readonly SortedDictionary<string, long> counts = new(StringComparer.Ordinal);

    public IEnumerable<string> Missing => Expected.Where(name => counts.GetValueOrDefault(name) == 0);

    public bool Never(string name) => counts.GetValueOrDefault(name) == 0;

    public void Add(string name, long count = 1) => counts[name] = counts.GetValueOrDefault(name) + count;

    public void Add(Counters other)
    {
        foreach ((string name, long count) in other.counts)
        {
            Add(name, count);
        }
    }

    public override string ToString() => string.Join(", ", counts.Select(static c => $"{c.Key} {c.Value}"));
}

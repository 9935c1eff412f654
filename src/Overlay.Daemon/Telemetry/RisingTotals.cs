using System.Diagnostics.Metrics;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// Turns totals that somebody else keeps into counters: adds what came since the last look. For one caller at a time.
/// </summary>
internal sealed class RisingTotals
{
    private readonly Dictionary<(string Counter, string Label), long> last = [];

    /// <summary>From now on the totals are those of another, who began at zero.</summary>
    public void Restart() => last.Clear();

    public void Add(Counter<long> counter, long total, params ReadOnlySpan<(string Key, string Value)> labels)
    {
        string label = "";
        foreach ((string key, string value) in labels)
        {
            label += $"{key}={value},";
        }

        long before = last.GetValueOrDefault((counter.Name, label));
        last[(counter.Name, label)] = Math.Max(before, total);
        long risen = Math.Max(0, total - before);
        KeyValuePair<string, object?>[] tags = new KeyValuePair<string, object?>[labels.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            tags[i] = new(labels[i].Key, labels[i].Value);
        }

        // Zero too: a counter that is shown from the start can be told from one that is missing.
        counter.Add(risen, tags);
    }
}

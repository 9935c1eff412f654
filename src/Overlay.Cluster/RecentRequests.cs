using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>The last request ids and the versions they got: a bounded window, part of the replicated state.</summary>
internal sealed class RecentRequests(int capacity)
{
    private readonly Queue<RecentRequest> order = [];
    private readonly SortedDictionary<string, ulong> versions = new(StringComparer.Ordinal);

    public IEnumerable<RecentRequest> OldestFirst => order;

    public ulong? VersionOf(string id) =>
        id.Length > 0 && versions.TryGetValue(id, out ulong version) ? version : null;

    public void Add(string id, ulong version)
    {
        if (id.Length == 0 || !versions.TryAdd(id, version))
        {
            return;
        }

        order.Enqueue(new() { Id = id, Version = version });
        if (order.Count > capacity)
        {
            versions.Remove(order.Dequeue().Id);
        }
    }
}

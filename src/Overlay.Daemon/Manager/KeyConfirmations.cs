using System.Collections.Concurrent;
using Overlay.Cluster;

namespace Overlay.Daemon.Manager;

/// <summary>
/// The store's version that each node's gossip goes by, as it said itself since this manager runs. Nodes say it again in
/// every session.
/// </summary>
internal sealed class KeyConfirmations
{
    private readonly ConcurrentDictionary<string, ulong> versions = new(StringComparer.Ordinal);

    public void Confirm(string node, ulong version) =>
        versions.AddOrUpdate(node, version, (_, before) => Math.Max(before, version));

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
}

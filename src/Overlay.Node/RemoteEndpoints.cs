using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>
/// The endpoints of other nodes as gossip tells them now, by network: only those whose owner is not dead. Sorted,
/// so that whatever is derived from them comes out the same on every run.
/// </summary>
internal sealed class RemoteEndpoints
{
    private readonly SortedDictionary<NetworkId, SortedDictionary<EndpointId, RemoteEndpointRecord>> byNetwork = [];

    /// <summary>False: another owner has an endpoint of that id, and it stays.</summary>
    public bool TrySet(NetworkId network, RemoteEndpointRecord record)
    {
        if (!byNetwork.TryGetValue(network, out SortedDictionary<EndpointId, RemoteEndpointRecord>? endpoints))
        {
            byNetwork[network] = endpoints = [];
        }

        if (endpoints.TryGetValue(record.Id, out RemoteEndpointRecord? known) && known.Owner != record.Owner)
        {
            return false;
        }

        endpoints[record.Id] = record;
        return true;
    }

    public RemoteEndpointRecord? Find(NetworkId network, EndpointId id) => byNetwork.GetValueOrDefault(network)?.GetValueOrDefault(id);

    /// <summary>Removes an entry, if the one held is that owner's.</summary>
    public RemoteEndpointRecord? Remove(NetworkId network, string owner, EndpointId id)
    {
        if (!byNetwork.TryGetValue(network, out SortedDictionary<EndpointId, RemoteEndpointRecord>? endpoints)
            || !endpoints.TryGetValue(id, out RemoteEndpointRecord? record)
            || record.Owner.ToString() != owner)
        {
            return null;
        }

        endpoints.Remove(id);
        if (endpoints.Count == 0)
        {
            byNetwork.Remove(network);
        }

        return record;
    }

    public void Forget(NetworkId network) => byNetwork.Remove(network);

    public IEnumerable<RemoteEndpointRecord> On(NetworkId network) =>
        byNetwork.TryGetValue(network, out SortedDictionary<EndpointId, RemoteEndpointRecord>? endpoints)
            ? endpoints.Values
            : [];

    public bool IsOwner(NodeId node) => byNetwork.Values.Any(endpoints => endpoints.Values.Any(e => e.Owner == node));

    public int Count => byNetwork.Values.Sum(static endpoints => endpoints.Values.Count(static e => !e.IsMeshShare));
}

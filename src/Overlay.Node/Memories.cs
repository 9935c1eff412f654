using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>
/// Which of the remote endpoints are only remembered, by network and owner, and what each of them claims: an address
/// or a MAC that gossip now tells of somebody else ends the memory.
/// </summary>
internal sealed class Memories
{
    private readonly SortedDictionary<EndpointId, (NetworkId Network, RemoteEndpointRecord Record)> known = [];
    private readonly SortedDictionary<string, EndpointId> claims = new(StringComparer.Ordinal);

    public bool Any => known.Count > 0;

    public IEnumerable<string> Owners =>
        known.Values.Select(static k => k.Record.Owner.ToString()).Distinct(StringComparer.Ordinal);

    /// <summary>What is remembered, by network and owner.</summary>
    public IEnumerable<IGrouping<(NetworkId Network, NodeId Owner), EndpointId>> Groups =>
        known.GroupBy(static k => (k.Value.Network, k.Value.Record.Owner), static k => k.Key);

    public void Add(NetworkId network, RemoteEndpointRecord record)
    {
        known[record.Id] = (network, record);
        foreach (string claim in ClaimsOf(network, record))
        {
            claims[claim] = record.Id;
        }
    }

    public void Remove(EndpointId id)
    {
        if (!known.Remove(id, out (NetworkId Network, RemoteEndpointRecord Record) gone))
        {
            return;
        }

        foreach (string claim in ClaimsOf(gone.Network, gone.Record))
        {
            if (claims.TryGetValue(claim, out EndpointId claimant) && claimant == id)
            {
                claims.Remove(claim);
            }
        }
    }

    public void Forget(NetworkId network)
    {
        foreach (EndpointId id in known.Where(k => k.Value.Network == network).Select(static k => k.Key).ToArray())
        {
            Remove(id);
        }
    }

    /// <summary>The memories that this record contradicts.</summary>
    public IEnumerable<EndpointId> Contradicted(NetworkId network, RemoteEndpointRecord record)
    {
        foreach (string claim in claims.Count == 0 ? [] : ClaimsOf(network, record))
        {
            if (claims.TryGetValue(claim, out EndpointId id) && id != record.Id)
            {
                yield return id;
            }
        }
    }

    public (NetworkId Network, NodeId Owner) Of(EndpointId id) => (known[id].Network, known[id].Record.Owner);

    public bool Has(EndpointId id) => known.ContainsKey(id);

    private static IEnumerable<string> ClaimsOf(NetworkId network, RemoteEndpointRecord record)
    {
        if (record.IsMeshShare)
        {
            yield break;
        }

        yield return $"{network} {record.Mac}";
        if (record.Ipv4 is { } ipv4)
        {
            yield return $"{network} {ipv4}";
        }

        if (record.Ipv6 is { } ipv6)
        {
            yield return $"{network} {ipv6}";
        }
    }
}

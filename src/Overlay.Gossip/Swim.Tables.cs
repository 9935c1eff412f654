using Overlay.Gossip.Tables;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>The tables' part of the façade.</summary>
public sealed partial class Swim
{
    /// <summary>The networks whose tables this node holds.</summary>
    public IEnumerable<string> Networks => store.Subscribed.Select(n => n.Name).Where(n => n.Length > 0);

    /// <summary>Attaches this node to a network: it gets the table, and others send it their writes.</summary>
    public PutOutcome Subscribe(string network, Instant now, GossipEffects e)
    {
        if (network.Length == 0 || network.Length > options.MaxKeyBytes)
        {
            return PutOutcome.KeyTooLong;
        }

        if (!store.IsHeld(network) && store.Subscribed.Count() > options.MaxNetworks)
        {
            return PutOutcome.TooManyNetworks;
        }

        tables.Subscribe(network, now, e);
        return PutOutcome.Done;
    }

    /// <summary>Deletes this node's entries of the network and forgets the others'.</summary>
    public void Unsubscribe(string network, Instant now, GossipEffects e) => tables.Unsubscribe(network, now, e);

    /// <summary>Writes an entry and sends it to the network's holders at once; an equal one is no write.</summary>
    public PutOutcome Put(string network, string key, ReadOnlyMemory<byte> value, Instant now, GossipEffects e) =>
        Put(network, [KeyValuePair.Create(key, value)], now, e);

    /// <summary>Writes several entries in as few packets as they need; stops at the first that is refused.</summary>
    public PutOutcome Put(
        string network,
        IReadOnlyList<KeyValuePair<string, ReadOnlyMemory<byte>>> entries,
        Instant now,
        GossipEffects e)
    {
        List<TableMessage.Delta> writes = [];
        PutOutcome outcome = PutOutcome.Done;
        foreach ((string key, ReadOnlyMemory<byte> value) in entries)
        {
            outcome = store.CheckPut(network, key, value.Length);
            if (outcome != PutOutcome.Done)
            {
                break;
            }

            if (store.OwnValue(network, key) is { } old && old.Span.SequenceEqual(value.Span))
            {
                continue;
            }

            store.Write(network, key, value.ToArray(), now, e);
            writes.Add(store.LastWrite(network, key));
        }

        tables.Spread(writes, now, e);
        return outcome;
    }

    public void Delete(string network, string key, Instant now, GossipEffects e)
    {
        if (store.HasOwn(network, key))
        {
            store.Write(network, key, null, now, e);
            tables.Spread([store.LastWrite(network, key)], now, e);
        }
    }

    /// <summary>
    /// The tables of this life are complete: entries of the node's former life that were not written again vanish
    /// everywhere. Without this call that happens after <see cref="SwimOptions.SettleTime"/>.
    /// </summary>
    public void Settle(Instant now, GossipEffects e)
    {
        settleAt = Instant.Never;
        tables.Spread(store.Settle(), now, e);
    }

    /// <summary>
    /// The visible entries: those of live and attached owners. Entries of dead owners are hidden, not forgotten, and
    /// come back with their owner.
    /// </summary>
    public IEnumerable<TableEntry> Entries(string network) =>
        network.Length > 0 && store.Find(network) is { } table ? table.Entries : [];

    /// <summary>How far each live holder of the network's table has got with what this node wrote.</summary>
    public IReadOnlyList<PeerLag> LagOf(string network, Instant now) =>
        network.Length > 0 ? tables.LagOf(network, now) : [];

    /// <summary>null where this node does not hold the network's table.</summary>
    public TableSummary? Summarize(string network) =>
        network.Length > 0 && store.Find(network) is { Subscribed: true } table ? store.Summarize(table) : null;
}

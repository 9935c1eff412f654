namespace Overlay.Gossip.Tables;

/// <summary>One visible entry of a network's table.</summary>
public sealed record TableEntry(string Network, string Owner, string Key, ReadOnlyMemory<byte> Value);

/// <summary>What this node holds of one network.</summary>
/// <param name="Fingerprint">Equal on all nodes that hold the same.</param>
public sealed record TableSummary(
    string Network, bool Subscribed, int Entries, ulong Fingerprint, IReadOnlyList<OwnerSummary> Owners);

/// <param name="Epoch">The owner's boot id.</param>
/// <param name="Version">Every write of the owner up to here is known.</param>
/// <param name="Head">The newest version heard of; the difference is what is missing.</param>
/// <param name="Settled">False while entries of the owner's former life are shown beside the new ones.</param>
/// <param name="Visible">The owner is live and attached to the network.</param>
public sealed record OwnerSummary(
    string Owner, ulong Epoch, ulong Version, ulong Head, int Entries, int Tombstones, bool Settled, bool Visible);

/// <summary>Why an own write was not made.</summary>
public enum PutOutcome
{
    Done,
    NotSubscribed,
    KeyTooLong,
    ValueTooLong,
    TooManyEntries,
    TooManyNetworks,
}

namespace Overlay.Gossip.Tables;

/// <summary>What nodes tell each other about tables, inside memberlist's user messages.</summary>
internal abstract record TableMessage
{
    private TableMessage()
    {
    }

    /// <summary>One number for each network that both may hold: equal numbers, equal tables.</summary>
    public sealed record Summary(IReadOnlyList<NetworkFingerprint> Networks) : TableMessage;

    /// <summary>
    /// All that the sender has of the owners in (After, Through]; an empty Through is the end. The receiver answers
    /// with what the sender lacks, and with a <see cref="Want"/> for what it lacks itself.
    /// </summary>
    public sealed record Digest(string Network, string After, string Through, IReadOnlyList<DigestLine> Lines)
        : TableMessage;

    /// <summary>What the sender has of these owners, and wants more of.</summary>
    public sealed record Want(string Network, IReadOnlyList<DigestLine> Lines) : TableMessage;

    /// <summary>How much does the receiver have of the sender's own writes, of which this is the newest?</summary>
    public sealed record Question(string Network, ulong Epoch, ulong Version) : TableMessage;

    /// <summary>The sender has everything that the receiver wrote up to this version; the answer to a question.</summary>
    public sealed record Acknowledgement(string Network, ulong Epoch, ulong Version) : TableMessage;

    /// <summary>
    /// What an owner wrote in versions (From, To]. It is complete: an entry that the receiver has with a version in
    /// this range, and that is not here, was replaced or deleted by Head.
    /// </summary>
    /// <param name="Head">The newest version that the sender knows completely.</param>
    /// <param name="Settled">The version at which this epoch replaced the former one; 0: it has not yet.</param>
    /// <param name="Pruned">Deletions up to this version are no longer listed.</param>
    /// <param name="Items">In order of version.</param>
    public sealed record Delta(
        string Network,
        string Owner,
        ulong Epoch,
        ulong From,
        ulong To,
        ulong Head,
        ulong Settled,
        ulong Pruned,
        IReadOnlyList<TableItem> Items) : TableMessage;
}

internal readonly record struct NetworkFingerprint(string Network, ulong Fingerprint);

/// <param name="Version">Everything the owner wrote up to here is known.</param>
internal readonly record struct DigestLine(string Owner, ulong Epoch, ulong Version);

/// <param name="Value">null: deleted.</param>
internal readonly record struct TableItem(string Key, ulong Version, ReadOnlyMemory<byte>? Value);

namespace Overlay.Daemon.Manager.Replication;

/// <summary>When the next snapshot is worth its price.</summary>
internal static class SnapshotPace
{
    /// <summary>A state of so many objects costs as little as the entries between two snapshots.</summary>
    private const int Small = 2 * ConsensusSetup.SnapshotEveryEntries;

    /// <summary>
    /// A snapshot costs as much as the state is large, so a large one waits for more entries: each entry pays for two
    /// objects, however many there are.
    /// </summary>
    /// <param name="last">The entry of the one before.</param>
    /// <param name="every">How many entries are between two snapshots of a small state.</param>
    /// <returns>The first entry after which it is due.</returns>
    public static ulong Due(ulong last, int every, int objects) => last + ((ulong)every * (ulong)Math.Max(objects, Small) / Small);
}

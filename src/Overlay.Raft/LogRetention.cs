namespace Overlay.Raft;

/// <summary>
/// What may be deleted: the two newest snapshots that validate are kept, and every entry behind the older of them, so
/// that damage to the newest loses nothing. With fewer than two nothing is deleted.
/// </summary>
public static class LogRetention
{
    public const int SnapshotsKept = 2;

    /// <param name="valid">Snapshots that validate, newest first.</param>
    /// <param name="present">Every snapshot in the folder.</param>
    public static IReadOnlyList<string> Obsolete(
        IReadOnlyList<ulong> valid, IEnumerable<ulong> present, IEnumerable<SegmentExtent> closed) =>
        valid.Count < SnapshotsKept
            ? []
            :
            [
                .. present.Where(index => index < valid[0] && !valid.Take(SnapshotsKept).Contains(index))
                    .Order().Select(LogNames.Snapshot),
                .. closed.Where(segment => segment.Last <= valid[SnapshotsKept - 1]).Select(static segment => segment.Name),
            ];
}

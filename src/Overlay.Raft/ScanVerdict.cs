namespace Overlay.Raft;

public enum ScanVerdict
{
    /// <summary>Every byte that was ever acknowledged is there.</summary>
    Whole,

    /// <summary>The last write did not finish; nothing acknowledged is missing. The file ends at <see cref="SegmentScan.End"/>.</summary>
    Torn,

    /// <summary>
    /// Something that was acknowledged does not validate; see <see cref="SegmentScan.Fault"/>. Where the header is
    /// whole, <see cref="SegmentScan.Entries"/> has a place for every entry that there was.
    /// </summary>
    Corrupt,
}

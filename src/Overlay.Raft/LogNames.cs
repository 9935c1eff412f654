using System.Globalization;

namespace Overlay.Raft;

/// <summary>
/// The names of a log's files: <c>0000000001-00000000000000000001.segment</c> (id and first index) and
/// <c>00000000000000004096.snapshot</c> (index). A file under one of them is whole or damaged; what is being made has
/// <c>.tmp</c> behind its name; what was damaged and is kept for who wants to know how has <c>.damaged</c>.
/// </summary>
public static class LogNames
{
    public const string UnfinishedSuffix = ".tmp";
    public const string DamagedSuffix = ".damaged";
    public const string SegmentSuffix = ".segment";
    public const string SnapshotSuffix = ".snapshot";

    public static string Segment(ulong id, ulong firstIndex) =>
        string.Create(CultureInfo.InvariantCulture, $"{id:D10}-{firstIndex:D20}{SegmentSuffix}");

    public static string Snapshot(ulong index) =>
        string.Create(CultureInfo.InvariantCulture, $"{index:D20}{SnapshotSuffix}");

    public static bool TryReadSegment(string name, out ulong id, out ulong firstIndex)
    {
        firstIndex = 0;
        string[] parts = Stem(name, SegmentSuffix).Split('-');
        return TryReadNumber(parts[0], out id) && parts.Length == 2 && TryReadNumber(parts[1], out firstIndex)
            && name == Segment(id, firstIndex);
    }

    public static bool TryReadSnapshot(string name, out ulong index) =>
        TryReadNumber(Stem(name, SnapshotSuffix), out index) && name == Snapshot(index);

    private static string Stem(string name, string suffix) =>
        name.EndsWith(suffix, StringComparison.Ordinal) ? name[..^suffix.Length] : "";

    private static bool TryReadNumber(string text, out ulong number) =>
        ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}

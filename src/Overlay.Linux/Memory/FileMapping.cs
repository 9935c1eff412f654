namespace Overlay.Linux.Memory;

/// <summary>One mapping of this process, as /proc/self/smaps tells it.</summary>
/// <param name="Start">Address of the first byte.</param>
/// <param name="Length">In bytes, whole pages.</param>
/// <param name="Permissions">As in maps: "r-xp", "r--s", …</param>
/// <param name="Path">Empty where no file is mapped.</param>
internal sealed record FileMapping(ulong Start, ulong Length, string Permissions, string Path)
{
    public long ResidentBytes { get; init; }

    /// <summary>Pages that were written to since they were mapped (relocations, say): they exist nowhere else.</summary>
    public long OwnBytes { get; init; }

    /// <summary>
    /// True where letting go loses nothing: a file on a disk (memfd and deleted files are not), which this process
    /// cannot write to and has not written to.
    /// </summary>
    public bool IsPlainCopy =>
        OwnBytes == 0 && ResidentBytes > 0
        && Permissions.Length >= 2 && Permissions[0] == 'r' && Permissions[1] == '-'
        && Path.StartsWith('/')
        && !Path.StartsWith("/memfd:", StringComparison.Ordinal)
        && !Path.StartsWith("/dev/", StringComparison.Ordinal)
        && !Path.EndsWith(" (deleted)", StringComparison.Ordinal);
}

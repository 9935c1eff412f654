using System.Buffers.Text;

namespace Overlay.Linux.Memory;

/// <summary>One mapping of this process, as /proc/self/smaps tells it; see proc_pid_smaps(5).</summary>
/// <param name="Start">Address of the first byte.</param>
/// <param name="Length">In bytes, whole pages.</param>
/// <param name="IsReadOnlyFile">
/// A file on a disk (memfd and deleted files are not), which this process can read and cannot write to.
/// </param>
internal readonly record struct FileMapping(ulong Start, ulong Length, bool IsReadOnlyFile)
{
    public long ResidentBytes { get; init; }

    /// <summary>Pages that were written to since they were mapped (relocations, say): they exist nowhere else.</summary>
    public long OwnBytes { get; init; }

    /// <summary>True where letting go loses nothing and frees something.</summary>
    public bool IsPlainCopy => IsReadOnlyFile && OwnBytes == 0 && ResidentBytes > 0;

    /// <summary>The first line of a mapping: <c>7f00-7f10 r-xp 00001000 08:01 1234    /usr/lib/libc.so.6</c>.</summary>
    public static bool TryReadHeader(ReadOnlySpan<byte> line, out FileMapping mapping)
    {
        mapping = default;
        ReadOnlySpan<byte> rest = line;
        ReadOnlySpan<byte> range = NextWord(ref rest);
        int dash = range.IndexOf((byte)'-');
        if (dash < 0
            || !TryReadHexadecimal(range[..dash], out ulong start) || !TryReadHexadecimal(range[(dash + 1)..], out ulong end)
            || end <= start)
        {
            return false;
        }

        ReadOnlySpan<byte> permissions = NextWord(ref rest);
        for (int skipped = 0; skipped < 3; skipped++)
        {
            if (NextWord(ref rest).IsEmpty)
            {
                return false;
            }
        }

        bool readOnly = permissions.Length >= 2 && permissions[0] == 'r' && permissions[1] == '-';
        mapping = new(start, end - start, readOnly && IsFileOnDisk(rest.TrimStart((byte)' ')));
        return true;
    }

    /// <summary>A later line of the mapping, where it is one that counts.</summary>
    public FileMapping With(ReadOnlySpan<byte> line)
    {
        if (TryReadKilobytes(line, "Rss:"u8, out long resident))
        {
            return this with { ResidentBytes = resident };
        }

        return TryReadKilobytes(line, "Anonymous:"u8, out long anonymous) ? this with { OwnBytes = anonymous } : this;
    }

    private static bool IsFileOnDisk(ReadOnlySpan<byte> path) =>
        path.StartsWith("/"u8) && !path.StartsWith("/memfd:"u8) && !path.StartsWith("/dev/"u8)
        && !path.EndsWith(" (deleted)"u8);

    private static ReadOnlySpan<byte> NextWord(ref ReadOnlySpan<byte> rest)
    {
        rest = rest.TrimStart((byte)' ');
        int end = rest.IndexOf((byte)' ');
        ReadOnlySpan<byte> word = end < 0 ? rest : rest[..end];
        rest = rest[word.Length..];
        return word;
    }

    private static bool TryReadHexadecimal(ReadOnlySpan<byte> text, out ulong value) =>
        Utf8Parser.TryParse(text, out value, out int used, 'x') && used == text.Length;

    private static bool TryReadKilobytes(ReadOnlySpan<byte> line, ReadOnlySpan<byte> name, out long bytes)
    {
        bytes = 0;
        if (!line.StartsWith(name) || !line.EndsWith(" kB"u8)
            || !Utf8Parser.TryParse(line[name.Length..^3].TrimStart((byte)' '), out long kilobytes, out _))
        {
            return false;
        }

        bytes = kilobytes * 1024;
        return true;
    }
}

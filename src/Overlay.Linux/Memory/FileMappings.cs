using System.Globalization;
using Overlay.Linux.Native;

namespace Overlay.Linux.Memory;

/// <summary>The files that this process has mapped: its libraries and assemblies.</summary>
public static class FileMappings
{
    private const string Smaps = "/proc/self/smaps";

    /// <summary>
    /// Drops this process's hold on every mapped page that is a plain copy of its file. The pages stay in the page
    /// cache; one that is used again comes back by a minor fault. Start-up touches far more code than running does.
    /// </summary>
    /// <returns>Bytes that were resident in the mappings let go.</returns>
    /// <remarks>madvise(2), MADV_DONTNEED; proc_pid_smaps(5).</remarks>
    public static long Release()
    {
        using StreamReader smaps = new(Smaps);
        long released = 0;
        foreach (FileMapping mapping in Read(smaps))
        {
            if (mapping.IsPlainCopy && Libc.MAdvise((nint)mapping.Start, (nuint)mapping.Length, Libc.MadvDontneed) == 0)
            {
                released += mapping.ResidentBytes;
            }
        }

        return released;
    }

    /// <summary>The mappings of files in the text of smaps; lines that are not understood are passed over.</summary>
    internal static IEnumerable<FileMapping> Read(TextReader smaps)
    {
        FileMapping? current = null;
        while (smaps.ReadLine() is { } line)
        {
            if (TryReadHeader(line, out FileMapping? next))
            {
                if (current is not null)
                {
                    yield return current;
                }

                current = next;
            }
            else if (current is not null && TryReadKilobytes(line, "Rss:", out long resident))
            {
                current = current with { ResidentBytes = resident };
            }
            else if (current is not null && TryReadKilobytes(line, "Anonymous:", out long anonymous))
            {
                current = current with { OwnBytes = anonymous };
            }
        }

        if (current is not null)
        {
            yield return current;
        }
    }

    // 7f00-7f10 r-xp 00001000 08:01 1234    /usr/lib/libc.so.6
    private static bool TryReadHeader(string line, out FileMapping? mapping)
    {
        mapping = null;
        string[] parts = line.Split(' ', 6, StringSplitOptions.RemoveEmptyEntries);
        int dash = parts[0].IndexOf('-', StringComparison.Ordinal);
        if (parts.Length < 5 || dash < 0
            || !ulong.TryParse(parts[0].AsSpan(0, dash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong start)
            || !ulong.TryParse(parts[0].AsSpan(dash + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong end)
            || end <= start)
        {
            return false;
        }

        mapping = new(start, end - start, parts[1], parts.Length == 6 ? parts[5].TrimStart() : "");
        return true;
    }

    private static bool TryReadKilobytes(string line, string name, out long bytes)
    {
        bytes = 0;
        if (!line.StartsWith(name, StringComparison.Ordinal) || !line.EndsWith(" kB", StringComparison.Ordinal)
            || !long.TryParse(line.AsSpan(name.Length, line.Length - name.Length - 3), CultureInfo.InvariantCulture, out long kilobytes))
        {
            return false;
        }

        bytes = kilobytes * 1024;
        return true;
    }
}

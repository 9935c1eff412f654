using Overlay.Linux.Native;

namespace Overlay.Linux.Memory;

/// <summary>The files that this process has mapped: its libraries and assemblies.</summary>
public static class FileMappings
{
    private const string Smaps = "/proc/self/smaps";

    /// <summary>A line with a path of PATH_MAX fits; what is longer is passed over.</summary>
    private const int BufferBytes = 64 * 1024;

    /// <summary>
    /// Drops this process's hold on every mapped page that is a plain copy of its file. The pages stay in the page
    /// cache; one that is used again comes back by a minor fault. Start-up touches far more code than running does.
    /// </summary>
    /// <returns>Bytes that were resident in the mappings let go.</returns>
    /// <remarks>madvise(2), MADV_DONTNEED; proc_pid_smaps(5).</remarks>
    public static long Release()
    {
        // Without a buffer of its own: what gives memory back must not be what uses it.
        using FileStream smaps = new(Smaps, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        long released = 0;
        Read(smaps, mapping =>
        {
            if (mapping.IsPlainCopy && Libc.MAdvise((nint)mapping.Start, (nuint)mapping.Length, Libc.MadvDontneed) == 0)
            {
                released += mapping.ResidentBytes;
            }
        });
        return released;
    }

    /// <summary>The mappings in the text of smaps; lines that are not understood are passed over.</summary>
    internal static void Read(Stream smaps, Action<FileMapping> found)
    {
        byte[] buffer = new byte[BufferBytes];
        FileMapping current = default;
        int held = 0;
        for (int read = smaps.Read(buffer); read > 0; read = smaps.Read(buffer, held, buffer.Length - held))
        {
            held += read;
            ReadOnlySpan<byte> text = buffer.AsSpan(0, held);
            for (int end = text.IndexOf((byte)'\n'); end >= 0; end = text.IndexOf((byte)'\n'))
            {
                Take(text[..end], ref current, found);
                text = text[(end + 1)..];
            }

            held = text.Length < buffer.Length ? text.Length : 0;
            text[..held].CopyTo(buffer);
        }

        Take(buffer.AsSpan(0, held), ref current, found);
        Tell(current, found);
    }

    private static void Take(ReadOnlySpan<byte> line, ref FileMapping current, Action<FileMapping> found)
    {
        if (FileMapping.TryReadHeader(line, out FileMapping next))
        {
            Tell(current, found);
            current = next;
        }
        else
        {
            current = current.With(line);
        }
    }

    private static void Tell(FileMapping mapping, Action<FileMapping> found)
    {
        if (mapping.Length > 0)
        {
            found(mapping);
        }
    }
}

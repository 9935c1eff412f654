namespace Overlay.Simulation.Whole;

/// <summary>A file's bytes, of which only pages that are not zero take room: segments begin with a mebibyte of zeroes.</summary>
internal sealed class SimBytes
{
    private const int Page = 4096;

    private byte[]?[] pages = [];

    public int Length { get; private set; }

    public void Write(int offset, ReadOnlySpan<byte> bytes)
    {
        Grow(offset + bytes.Length);
        while (bytes.Length > 0)
        {
            (int page, int at) = (offset / Page, offset % Page);
            ReadOnlySpan<byte> part = bytes[..Math.Min(Page - at, bytes.Length)];
            if (pages[page] is not null || part.ContainsAnyExcept((byte)0))
            {
                part.CopyTo((pages[page] ??= new byte[Page]).AsSpan(at));
            }

            offset += part.Length;
            bytes = bytes[part.Length..];
        }
    }

    public void SetLength(int length)
    {
        for (int page = length / Page; page < pages.Length; page++)
        {
            if (page * Page >= length)
            {
                pages[page] = null;
            }
            else
            {
                pages[page]?.AsSpan(length - (page * Page)).Clear();
            }
        }

        Length = Math.Min(Length, length);
        Grow(length);
    }

    public byte[] ToArray()
    {
        byte[] all = new byte[Length];
        for (int page = 0; page < pages.Length && page * Page < Length; page++)
        {
            pages[page]?.AsSpan(0, Math.Min(Page, Length - (page * Page))).CopyTo(all.AsSpan(page * Page));
        }

        return all;
    }

    public byte[] Slice(int offset, int length)
    {
        byte[] part = new byte[length];
        for (int i = 0; i < length; i++)
        {
            part[i] = pages[(offset + i) / Page] is { } page ? page[(offset + i) % Page] : (byte)0;
        }

        return part;
    }

    public SimBytes Clone() => new() { Length = Length, pages = [.. pages.Select(static p => p?.ToArray())] };

    /// <summary>Somewhere in a page that is not zero, mostly; a place that has been written.</summary>
    public int SomewhereWritten(Primitives.Prng prng)
    {
        int[] written = [.. Enumerable.Range(0, pages.Length).Where(p => pages[p] is not null && p * Page < Length)];
        if (written.Length == 0 || prng.Chance(0.05))
        {
            return prng.Next(Length);
        }

        int page = written[prng.Next(written.Length)] * Page;
        return page + prng.Next(Math.Min(Page, Length - page));
    }

    private void Grow(int length)
    {
        int needed = (length + Page - 1) / Page;
        if (needed > pages.Length)
        {
            Array.Resize(ref pages, Math.Max(needed, pages.Length + (pages.Length / 4)));
        }

        Length = Math.Max(Length, length);
    }
}

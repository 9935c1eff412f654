using Overlay.Primitives;

namespace Overlay.Simulation.Whole;

/// <summary>A file: what the kernel shows of it, what a power failure would leave for sure, and what is in between.</summary>
internal sealed class SimFile
{
    private static readonly int[] AtomicSizes = [16, 64, 512, 4096];
    private readonly List<(int Offset, byte[]? Bytes)> pending = [];
    private readonly SimBytes durable = new();

    /// <summary>A sync failed: pages are called clean that never reached the disk, and nobody will write them again.</summary>
    private bool isFalse;
    private bool lostSome;

    public SimBytes Cached { get; private set; } = new();

    /// <summary>Everything that was ever written is durable: what is damaged here now was once whole.</summary>
    public bool IsSettled => pending.Count == 0 && !lostSome && !isFalse;

    public void Write(int offset, byte[] bytes)
    {
        Cached.Write(offset, bytes);
        pending.Add((offset, bytes));
    }

    public void SetLength(int length)
    {
        Cached.SetLength(length);
        pending.Add((length, null));
    }

    public void Sync()
    {
        Flush();
        lostSome = false;
    }

    /// <summary>The kernel writes out what it has, without being asked to.</summary>
    public void Flush()
    {
        foreach ((int offset, byte[]? bytes) in pending)
        {
            if (bytes is null)
            {
                durable.SetLength(offset);
            }
            else
            {
                durable.Write(offset, bytes);
            }
        }

        pending.Clear();
    }

    /// <summary>As the kernel does it: the error is told once, and the pages are clean.</summary>
    public void FailSync()
    {
        lostSome |= pending.Count > 0;
        pending.Clear();
        isFalse = true;
    }

    /// <summary>Of what was not synced an arbitrary choice of sectors is there; which also may be smaller than a disk's.</summary>
    public void PowerFail(Prng prng)
    {
        lostSome |= pending.Count > 0;
        isFalse = false;
        foreach ((int offset, byte[]? bytes) in pending)
        {
            if (bytes is not null)
            {
                Tear(offset, bytes, prng);
            }
            else if (prng.Chance(0.5))
            {
                durable.SetLength(offset);
            }
        }

        pending.Clear();
        Cached = durable.Clone();
    }

    /// <summary>The disk changes by itself, under what the kernel knows.</summary>
    public void Decay(Action<SimBytes> how)
    {
        how(durable);
        how(Cached);
    }

    private void Tear(int offset, byte[] bytes, Prng prng)
    {
        int kind = prng.Next(4);
        if (kind == 0)
        {
            return;
        }

        if (kind == 1)
        {
            durable.Write(offset, bytes);
            return;
        }

        bool longer = prng.Chance(0.5);
        int sector = AtomicSizes[prng.Next(AtomicSizes.Length)];
        if (longer && durable.Length < offset + bytes.Length)
        {
            durable.SetLength(offset + bytes.Length);
        }

        for (int at = 0; at < bytes.Length;)
        {
            int length = Math.Min(sector - ((offset + at) % sector), bytes.Length - at);
            if (prng.Chance(0.5) && offset + at + length <= durable.Length)
            {
                durable.Write(offset + at, bytes.AsSpan(at, length));
            }

            at += length;
        }
    }
}

using System.Buffers.Binary;
using System.Numerics;

namespace Overlay.Primitives;

/// <summary>
/// The one source of randomness of the pure rooms: xoshiro256** (Blackman and Vigna, 2018), seeded through
/// SplitMix64. The sequence of a seed never changes, so that a seed replays a run. It is not a cryptographic
/// generator: secrets come from the operating system, outside the pure rooms.
/// </summary>
public sealed class Prng
{
    private ulong s0;
    private ulong s1;
    private ulong s2;
    private ulong s3;

    public Prng(ulong seed)
    {
        s0 = SplitMix(ref seed);
        s1 = SplitMix(ref seed);
        s2 = SplitMix(ref seed);
        s3 = SplitMix(ref seed);
    }

    /// <summary>Seeds all 256 bits of the state; production gives bytes of the operating system's generator.</summary>
    /// <param name="state">Exactly 32 bytes, not all zero.</param>
    public Prng(ReadOnlySpan<byte> state)
    {
        Invariant.Holds(state.Length == 32, "a Prng state has 32 bytes");
        s0 = BinaryPrimitives.ReadUInt64LittleEndian(state);
        s1 = BinaryPrimitives.ReadUInt64LittleEndian(state[8..]);
        s2 = BinaryPrimitives.ReadUInt64LittleEndian(state[16..]);
        s3 = BinaryPrimitives.ReadUInt64LittleEndian(state[24..]);
        Invariant.Holds((s0 | s1 | s2 | s3) != 0, "a Prng state is not all zero");
    }

    public ulong NextUInt64()
    {
        ulong result = BitOperations.RotateLeft(s1 * 5, 7) * 9;
        ulong t = s1 << 17;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= t;
        s3 = BitOperations.RotateLeft(s3, 45);
        return result;
    }

    /// <summary>A uniform integer in [0, bound), by Lemire's multiply-and-reject.</summary>
    public int Next(int bound)
    {
        Invariant.Holds(bound > 0, "a bound is positive");
        ulong range = (ulong)bound;
        ulong high = Math.BigMul(NextUInt64(), range, out ulong low);
        if (low < range)
        {
            ulong threshold = (0UL - range) % range;
            while (low < threshold)
            {
                high = Math.BigMul(NextUInt64(), range, out low);
            }
        }

        return (int)high;
    }

    /// <summary>A uniform number in [0, 1).</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    public bool Chance(double probability) => NextDouble() < probability;

    /// <summary>A uniform duration in [min, max).</summary>
    public TimeSpan Between(TimeSpan min, TimeSpan max) => min + ((max - min) * NextDouble());

    public void Fill(Span<byte> bytes)
    {
        Span<byte> last = stackalloc byte[8];
        while (bytes.Length >= 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, NextUInt64());
            bytes = bytes[8..];
        }

        BinaryPrimitives.WriteUInt64LittleEndian(last, NextUInt64());
        last[..bytes.Length].CopyTo(bytes);
    }

    /// <summary>Fisher–Yates.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (int i = items.Length - 1; i > 0; i--)
        {
            int j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    private static ulong SplitMix(ref ulong seed)
    {
        ulong z = seed += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}

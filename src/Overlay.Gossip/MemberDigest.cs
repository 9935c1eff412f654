using System.Buffers.Binary;
using System.Text;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip;

/// <summary>
/// What is known of members in short. Nodes that agree have equal digests; from the list of eight bytes a member that
/// goes before an exchange, the other side tells what differs.
/// </summary>
internal static class MemberDigest
{
    public const int EntryBytes = 8;

    /// <summary>The digest's upper bits count the live members, so that it also says how far two nodes are apart.</summary>
    private const int SumBits = 40;

    public static int CountOf(ulong digest) => (int)(digest >> SumBits);

    /// <param name="prints">The sum of <see cref="PrintOf"/> of all live members.</param>
    public static ulong Of(ulong prints, int live) => ((ulong)live << SumBits) | (prints & ((1UL << SumBits) - 1));

    /// <summary>Which member, in four bytes.</summary>
    public static uint KeyOf(MemberEntry member) => (uint)(member.NameHash >> 32);

    /// <summary>What is known of it, in four bytes; the lowest bit says that it is live.</summary>
    public static uint StateOf(MemberEntry member) => (uint)(PrintOf(member) >> 32) & ~1U | (member.IsLive ? 1U : 0);

    public static bool IsLive(uint state) => (state & 1) != 0;

    public static byte[] List(MemberEntry self, IReadOnlyList<MemberEntry> others)
    {
        byte[] list = new byte[EntryBytes * (others.Count + 1)];
        Write(list, KeyOf(self), StateOf(self));
        for (int i = 0; i < others.Count; i++)
        {
            Write(list.AsSpan(EntryBytes * (i + 1)), KeyOf(others[i]), StateOf(others[i]));
        }

        return list;
    }

    public static byte[] List(IReadOnlyList<uint> keys)
    {
        byte[] list = new byte[EntryBytes * keys.Count];
        for (int i = 0; i < keys.Count; i++)
        {
            Write(list.AsSpan(EntryBytes * i), keys[i], 0);
        }

        return list;
    }

    public static Dictionary<uint, uint> Read(ReadOnlySpan<byte> list)
    {
        Dictionary<uint, uint> states = new(list.Length / EntryBytes);
        for (; list.Length >= EntryBytes; list = list[EntryBytes..])
        {
            states[BinaryPrimitives.ReadUInt32BigEndian(list)] = BinaryPrimitives.ReadUInt32BigEndian(list[4..]);
        }

        return states;
    }

    /// <summary>A life in two bytes, for accusations; 0 for foreigners, and for members that are only recalled.</summary>
    public static ushort LifeOf(ulong bootId) => bootId <= 1 ? (ushort)0 : (ushort)Math.Max(1, Mix(bootId) & ushort.MaxValue);

    public static ulong HashOf(string name)
    {
        // FNV-1a, then SplitMix64's finalizer.
        ulong hash = 0xcbf29ce484222325;
        foreach (Rune rune in name.EnumerateRunes())
        {
            hash = (hash ^ (uint)rune.Value) * 0x100000001b3;
        }

        return Mix(hash);
    }

    /// <summary>Of a live member its life and last description count; of another one that it is dead or has left.</summary>
    public static ulong PrintOf(MemberEntry member) => Mix(
        member.NameHash ^ Mix(member.BootId) ^ ((ulong)(member.IsLive ? member.Described : 0) << 8)
        ^ (ulong)(member.IsLive ? MemberState.Alive : member.State));

    private static void Write(Span<byte> to, uint key, uint state)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, key);
        BinaryPrimitives.WriteUInt32BigEndian(to[4..], state);
    }

    private static ulong Mix(ulong hash)
    {
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
        return hash ^ (hash >> 31);
    }
}

using System.Buffers.Binary;
using System.Text;
using Overlay.Primitives;
using Overlay.Raft.Secrecy;

namespace Overlay.Raft;

/// <summary>
/// What a member must never forget, in files of a fixed length: magic 8, sequence 8, member 8, data key 8, nonce 12, tag 16,
/// term 8, vote 8, committed change of members 8, length of the cluster's id 1, id 64, zero, CRC-32C 4 over all before it.
/// There are two, and each change is written and synced to one and then to the other, so that one damaged copy forgets
/// nothing.
/// </summary>
public static class StateFormat
{
    public const int FileBytes = 256;
    public const int MaxClusterBytes = 64;
    private const int KeyOffset = 24;
    private const int NonceOffset = 32;
    private const int TagOffset = 44;
    private const int TermOffset = 60;
    private const int HardBytes = 24;
    private const int ClusterOffset = 84;
    private const int ChecksumOffset = FileBytes - 4;
    private const ulong Magic = 0x31415453_44564F; // "OVDSTA1" read as little-endian text

    /// <param name="keys">Null: term and vote are written in the clear.</param>
    /// <param name="nonce">With keys: new and random for every write.</param>
    public static byte[] Write(MemberState state, LogKeys? keys = null, ReadOnlySpan<byte> nonce = default)
    {
        byte[] bytes = new byte[FileBytes];
        byte[] cluster = Encoding.UTF8.GetBytes(state.Identity.Cluster);
        Invariant.Holds(cluster.Length <= MaxClusterBytes, "a cluster's id is within its limit");
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), state.Sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), state.Identity.Member.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(TermOffset), state.Hard.Term);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(TermOffset + 8), state.Hard.Vote.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(TermOffset + 16), state.Hard.Committed);
        if (keys is not null)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(KeyOffset), keys.Current.Id);
            nonce[..LogKeys.NonceBytes].CopyTo(bytes.AsSpan(NonceOffset));
            keys.SealState(
                state.Sequence, nonce[..LogKeys.NonceBytes], bytes.AsSpan(TermOffset, HardBytes), bytes.AsSpan(TagOffset, LogKeys.TagBytes));
        }

        bytes[ClusterOffset] = (byte)cluster.Length;
        cluster.CopyTo(bytes, ClusterOffset + 1);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(ChecksumOffset), Crc32C.Of(bytes.AsSpan(0, ChecksumOffset)));
        return bytes;
    }

    /// <summary>The data key that a file names, whether it validates or not; 0: it is in the clear, or no such file.</summary>
    public static ulong KeyOf(ReadOnlySpan<byte> bytes) =>
        bytes.Length == FileBytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[KeyOffset..]) : 0;

    /// <param name="keys">Null: of one that is encrypted only whose it is is read.</param>
    public static bool TryRead(ReadOnlySpan<byte> bytes, LogKeys? keys, out MemberState? state)
    {
        state = null;
        if (bytes.Length != FileBytes || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[ChecksumOffset..]) != Crc32C.Of(bytes[..ChecksumOffset])
            || bytes[ClusterOffset] > MaxClusterBytes)
        {
            return false;
        }

        ulong sequence = BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]);
        ulong key = BinaryPrimitives.ReadUInt64LittleEndian(bytes[KeyOffset..]);
        Span<byte> hard = stackalloc byte[HardBytes];
        bytes.Slice(TermOffset, HardBytes).CopyTo(hard);
        bool isClosed = key != 0 && keys is null;
        if (key != 0 && keys is not null && !keys.TryOpenState(
            key, sequence, bytes.Slice(NonceOffset, LogKeys.NonceBytes), hard, bytes.Slice(TagOffset, LogKeys.TagBytes)))
        {
            return false;
        }

        state = new(
            new(
                Encoding.UTF8.GetString(bytes.Slice(ClusterOffset + 1, bytes[ClusterOffset])),
                new(BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]))),
            sequence,
            isClosed ? default : new(
                BinaryPrimitives.ReadUInt64LittleEndian(hard), new(BinaryPrimitives.ReadUInt64LittleEndian(hard[8..])),
                BinaryPrimitives.ReadUInt64LittleEndian(hard[16..])))
        {
            IsClosed = isClosed,
        };
        return true;
    }
}

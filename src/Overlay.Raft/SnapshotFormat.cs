using System.Buffers.Binary;
using Overlay.Primitives;

namespace Overlay.Raft;

/// <summary>
/// A snapshot's file: magic 8, index 8, term 8, CRC-32C 4 over all but itself, length of the configuration 4, first
/// segment that may follow 8, member 8, data key 8, salt 8, configuration, data. Written beside and renamed, so a file of
/// that name was whole once: one that does not validate is damaged, never unfinished.
/// </summary>
public static class SnapshotFormat
{
    public const int HeaderBytes = 64;

    /// <summary>The longest file that is read; a store of the largest cluster has a tenth of it.</summary>
    public const long MaxFileBytes = 1L << 30;
    private const int ChecksumOffset = 24;
    private const int SingleHeaderBytes = 32;
    private const ulong Magic = 0x32504E53_44564F; // "OVDSNP2" read as little-endian text

    /// <summary>Of one manager alone: index, term, CRC, data. Read, never written.</summary>
    private const ulong SingleMagic = 0x31504E53_44564F;

    public static byte[] Write(LogSnapshot snapshot)
    {
        Invariant.Holds(snapshot.Data.Length <= MaxFileBytes - 4096, "a snapshot is within its limit");
        byte[] configuration = snapshot.Configuration.ToBytes();
        byte[] bytes = new byte[HeaderBytes + configuration.Length + snapshot.Data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), snapshot.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), snapshot.Term);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(28), (uint)configuration.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(32), snapshot.FollowedBy);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(40), snapshot.Member.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(48), snapshot.Key);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(56), snapshot.Salt);
        configuration.CopyTo(bytes.AsSpan(HeaderBytes));
        snapshot.Data.Span.CopyTo(bytes.AsSpan(HeaderBytes + configuration.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(ChecksumOffset), Checksum(bytes, ChecksumOffset + 4));
        return bytes;
    }

    /// <summary>The snapshot of that index, if every byte of it is as written; its data as it is in the file.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, ulong index, out LogSnapshot? snapshot)
    {
        snapshot = null;
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length is < SingleHeaderBytes or > (int)MaxFileBytes || BinaryPrimitives.ReadUInt64LittleEndian(span[8..]) != index)
        {
            return false;
        }

        ulong term = BinaryPrimitives.ReadUInt64LittleEndian(span[16..]);
        if (BinaryPrimitives.ReadUInt64LittleEndian(span) == SingleMagic && IsWhole(span, SingleHeaderBytes))
        {
            snapshot = new(index, term, bytes[SingleHeaderBytes..]);
            return true;
        }

        if (BinaryPrimitives.ReadUInt64LittleEndian(span) != Magic || span.Length < HeaderBytes || !IsWhole(span, ChecksumOffset + 4))
        {
            return false;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(span[28..]);
        if (length > span.Length - HeaderBytes
            || !Configuration.TryRead(span.Slice(HeaderBytes, (int)length), out Configuration? configuration))
        {
            return false;
        }

        snapshot = new(index, term, bytes[(HeaderBytes + (int)length)..])
        {
            Configuration = configuration!,
            FollowedBy = BinaryPrimitives.ReadUInt64LittleEndian(span[32..]),
            Member = new(BinaryPrimitives.ReadUInt64LittleEndian(span[40..])),
            Key = BinaryPrimitives.ReadUInt64LittleEndian(span[48..]),
            Salt = BinaryPrimitives.ReadUInt64LittleEndian(span[56..]),
        };
        return true;
    }

    private static bool IsWhole(ReadOnlySpan<byte> bytes, int rest) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[ChecksumOffset..]) == Checksum(bytes, rest);

    private static uint Checksum(ReadOnlySpan<byte> bytes, int rest) => Crc32C.Of(bytes[rest..], Crc32C.Of(bytes[..ChecksumOffset]));
}

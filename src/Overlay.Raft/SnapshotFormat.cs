using System.Buffers.Binary;
using Overlay.Primitives;

namespace Overlay.Raft;

/// <summary>
/// A snapshot's file: magic 8, index 8, term 8, CRC-32C 4 over the three and the data, 4 zero, data. Written beside and
/// renamed, so a file of that name was whole once: one that does not validate is damaged, never unfinished.
/// </summary>
public static class SnapshotFormat
{
    public const int HeaderBytes = 32;

    /// <summary>The longest file that is read; a store of the largest cluster has a tenth of it.</summary>
    public const long MaxFileBytes = 1L << 30;
    private const ulong Magic = 0x31504E53_44564F; // "OVDSNP1" read as little-endian text

    public static byte[] Write(LogSnapshot snapshot)
    {
        Invariant.Holds(snapshot.Data.Length <= MaxFileBytes - HeaderBytes, "a snapshot is within its limit");
        byte[] bytes = new byte[HeaderBytes + snapshot.Data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), snapshot.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), snapshot.Term);
        snapshot.Data.Span.CopyTo(bytes.AsSpan(HeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(24), Checksum(bytes));
        return bytes;
    }

    /// <summary>The snapshot of that index, if every byte of it is as written.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, ulong index, out LogSnapshot? snapshot)
    {
        snapshot = null;
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length is < HeaderBytes or > (int)MaxFileBytes || BinaryPrimitives.ReadUInt64LittleEndian(span) != Magic
            || BinaryPrimitives.ReadUInt64LittleEndian(span[8..]) != index
            || BinaryPrimitives.ReadUInt32LittleEndian(span[24..]) != Checksum(span))
        {
            return false;
        }

        snapshot = new(index, BinaryPrimitives.ReadUInt64LittleEndian(span[16..]), bytes[HeaderBytes..]);
        return true;
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes) => Crc32C.Of(bytes[HeaderBytes..], Crc32C.Of(bytes[..24]));
}

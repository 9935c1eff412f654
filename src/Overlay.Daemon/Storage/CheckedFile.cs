using System.Buffers.Binary;
using Overlay.Raft;

namespace Overlay.Daemon.Storage;

/// <summary>
/// A small file that is replaced whole, with a checksum: magic <c>OVDFIL1</c> 8, length 4, CRC-32C 4 of these and the
/// data, data.
/// </summary>
internal static class CheckedFile
{
    public const int HeaderBytes = 16;
    public const int MaxBytes = 256 << 20;
    private const ulong Magic = 0x314C4946_44564F;

    public static byte[] Wrap(ReadOnlySpan<byte> data)
    {
        byte[] bytes = new byte[HeaderBytes + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), (uint)data.Length);
        data.CopyTo(bytes.AsSpan(HeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), Checksum(bytes));
        return bytes;
    }

    /// <summary>The data, if every byte is as it was written.</summary>
    public static bool TryUnwrap(ReadOnlyMemory<byte> bytes, out ReadOnlyMemory<byte> data)
    {
        data = default;
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length < HeaderBytes || BinaryPrimitives.ReadUInt64LittleEndian(span) != Magic
            || BinaryPrimitives.ReadUInt32LittleEndian(span[8..]) != (uint)(span.Length - HeaderBytes)
            || BinaryPrimitives.ReadUInt32LittleEndian(span[12..]) != Checksum(span))
        {
            return false;
        }

        data = bytes[HeaderBytes..];
        return true;
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes) => Crc32C.Of(bytes[HeaderBytes..], Crc32C.Of(bytes[..12]));
}

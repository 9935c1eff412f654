using System.Buffers.Binary;
using System.Numerics;

namespace Overlay.Raft;

/// <summary>CRC-32C (Castagnoli), as iSCSI and most storage formats use it; computed by the processor.</summary>
public static class Crc32C
{
    /// <param name="seed">Mixed in first, so that bytes of another place or life never validate.</param>
    public static uint Of(ReadOnlySpan<byte> bytes, ulong seed = 0)
    {
        uint crc = BitOperations.Crc32C(uint.MaxValue, seed);
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (byte b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}

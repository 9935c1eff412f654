using System.Buffers.Binary;

namespace Overlay.Simulation.Raft;

/// <summary>A change of one register, as the data of an entry.</summary>
/// <param name="Request">The client's number of the request; the same when it asks again.</param>
internal readonly record struct Command(ulong Request, int Key, bool IsSwap, long Value, long Expected)
{
    private const int Length = 21;

    public static Command Read(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(bytes), bytes[8] & 0x7F, (bytes[8] & 0x80) != 0,
        BinaryPrimitives.ReadInt32LittleEndian(bytes[9..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[13..]));

    /// <param name="padding">Bytes behind the command, so that entries differ in size.</param>
    public byte[] ToBytes(int padding)
    {
        byte[] bytes = new byte[Length + padding];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Request);
        bytes[8] = (byte)(Key | (IsSwap ? 0x80 : 0));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(9), (int)Value);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(13), Expected);
        return bytes;
    }
}

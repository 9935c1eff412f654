using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Overlay.Linux.Native;

/// <summary>struct epoll_event (sys/epoll.h): packed on x86-64 alone.</summary>
internal static class EpollEvent
{
    public const int Add = 1;
    public const int Delete = 2;
    public const uint In = 1;

    private static readonly int DataOffset = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 4 : 8;

    /// <summary>Bytes of one.</summary>
    public static readonly int Length = DataOffset + sizeof(ulong);

    public static void Write(Span<byte> at, uint events, ulong data)
    {
        at.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(at, events);
        BinaryPrimitives.WriteUInt64LittleEndian(at[DataOffset..], data);
    }

    public static ulong Data(ReadOnlySpan<byte> at) => BinaryPrimitives.ReadUInt64LittleEndian(at[DataOffset..]);
}

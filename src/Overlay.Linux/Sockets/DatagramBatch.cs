using System.Runtime.InteropServices;
using Overlay.Linux.Native;

namespace Overlay.Linux.Sockets;

/// <summary>The kernel's view of datagrams that one system call takes or gives: headers, one vector and one name for each, and room for the bytes.</summary>
internal sealed unsafe class DatagramBatch : IDisposable
{
    private readonly void* memory;

    /// <param name="room">Bytes for each; 0: its vector will point elsewhere.</param>
    public DatagramBatch(int size, int room)
    {
        nuint each = (nuint)(sizeof(MultiMessageHeader) + sizeof(IoVec) + sizeof(SockAddrIn) + room);
        Size = size;
        Room = room;
        memory = NativeMemory.AlignedAlloc(each * (nuint)size, 64);
        Headers = (MultiMessageHeader*)memory;
        Vectors = (IoVec*)(Headers + size);
        Names = (SockAddrIn*)(Vectors + size);
        byte* bytes = (byte*)(Names + size);
        for (int i = 0; i < size; i++)
        {
            Vectors[i] = new() { Base = (nint)(bytes + (i * room)), Length = (nuint)room };
            Names[i] = default;
            Headers[i] = new()
            {
                Name = (nint)(Names + i),
                NameLength = (uint)sizeof(SockAddrIn),
                Vectors = (nint)(Vectors + i),
                VectorCount = 1,
            };
        }
    }

    public int Size { get; }

    public int Room { get; }

    public MultiMessageHeader* Headers { get; }

    public IoVec* Vectors { get; }

    public SockAddrIn* Names { get; }

    /// <summary>What was received; valid until the next call.</summary>
    public ReadOnlySpan<byte> Payload(int index) => new((void*)Vectors[index].Base, (int)Headers[index].Length);

    /// <summary>The kernel leaves here how long the names are: it must be told again how long they may be.</summary>
    public void ResetNames()
    {
        for (int i = 0; i < Size; i++)
        {
            Headers[i].NameLength = (uint)sizeof(SockAddrIn);
        }
    }

    public void Dispose() => NativeMemory.AlignedFree(memory);
}

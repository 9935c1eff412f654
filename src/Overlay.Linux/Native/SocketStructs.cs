using System.Runtime.InteropServices;

namespace Overlay.Linux.Native;

/// <summary>struct iovec (sys/uio.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct IoVec
{
    public nint Base;
    public nuint Length;
}

/// <summary>struct mmsghdr (sys/socket.h): a struct msghdr and the length of its datagram; 64 bytes on 64-bit machines.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MultiMessageHeader
{
    public nint Name;
    public uint NameLength;
    public nint Vectors;
    public nuint VectorCount;
    public nint Control;
    public nuint ControlLength;
    public int Flags;
    private readonly int headerPadding;
    public uint Length;
    private readonly uint padding;
}

/// <summary>struct sockaddr_in or sockaddr_in6 (netinet/in.h), 28 bytes; what only the latter has is zero in the former.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SockAddrIn
{
    public ushort Family;

    /// <summary>In network order.</summary>
    public ushort Port;

    /// <summary>IPv4: the address, in network order. IPv6: the flow label.</summary>
    public uint Address4;

    public fixed byte Address6[16];
    public uint Scope;
}

/// <summary>struct pollfd (poll.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int Descriptor;
    public short Events;
    public short Returned;
}

/// <summary>struct timespec (time.h) of 64-bit machines.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeSpec
{
    public long Seconds;
    public long Nanoseconds;
}

using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Overlay.Linux.Native;

/// <summary>The C library's functions that .NET does not offer. Names and meanings: man sections 2 and 3.</summary>
internal static partial class Libc
{
    public const int CloneNewNet = 0x40000000;
    public const int CloneNewNs = 0x00020000;

    public const int OpenReadOnly = 0;
    public const int OpenWriteOnly = 1;
    public const int OpenCreate = 0x40;
    public const int OpenNoTerminal = 0x100;
    public const int OpenNonBlocking = 0x800;
    public const int OpenCloseOnExec = 0x80000;

    public const ulong MountBind = 4096;
    public const ulong MountRecursive = 16384;
    public const ulong MountPrivate = 1 << 18;
    public const ulong MountShared = 1 << 20;
    public const int UmountDetach = 2;

    public const int FamilyNetlink = 16;
    public const int SocketRaw = 3;
    public const int SocketCloseOnExec = 0x80000;

    public const int LevelSocket = 1;
    public const int OptionReceiveTimeout = 20;
    public const int OptionSendBufferForce = 32;
    public const int OptionReceiveBufferForce = 33;
    public const int LevelNetlink = 270;

    public const int MessageTruncate = 0x20;

    public const int MessageDontWait = 0x40;
    public const int OptionMemoryInfo = 55;

    public const ushort FamilyInet = 2;
    public const ushort FamilyInet6 = 10;

    /// <summary>Of struct sockaddr_in.</summary>
    public const int AddressInetLength = 16;

    /// <summary>sizeof(struct sockaddr_in6).</summary>
    public const int AddressInet6Length = 28;

    /// <summary>IPPROTO_IPV6, IPV6_V6ONLY.</summary>
    public const int LevelIpv6 = 41;
    public const int OptionIpv6Only = 26;

    public const int EventCloseOnExec = 0x80000;
    public const int EventNonBlocking = 0x800;
    public const short PollIn = 1;

    public const int MadvDontneed = 4;

    private const string Library = "libc";

    /// <summary>Invalid on failure; the errno is in <see cref="Errno.Last"/>.</summary>
    public static SafeFd Open(string path, int flags, uint mode) => new(OpenNumber(path, flags, mode));

    /// <summary>Invalid on failure; the errno is in <see cref="Errno.Last"/>.</summary>
    public static SafeFd Socket(int family, int type, int protocol) => new(SocketNumber(family, type, protocol));

    /// <summary>Invalid on failure; the errno is in <see cref="Errno.Last"/>.</summary>
    public static SafeFd EventFd(uint count, int flags) => new(EventFdNumber(count, flags));

    [LibraryImport(Library, EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport(Library, EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenNumber(string path, int flags, uint mode);

    [LibraryImport(Library, EntryPoint = "read", SetLastError = true)]
    public static partial nint Read(SafeFd descriptor, Span<byte> buffer, nuint count);

    [LibraryImport(Library, EntryPoint = "write", SetLastError = true)]
    public static partial nint Write(SafeFd descriptor, ReadOnlySpan<byte> buffer, nuint count);

    [LibraryImport(Library, EntryPoint = "fsync", SetLastError = true)]
    public static partial int Fsync(SafeFd descriptor);

    [LibraryImport(Library, EntryPoint = "madvise", SetLastError = true)]
    public static partial int MAdvise(nint address, nuint length, int advice);

    [LibraryImport(Library, EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SetEnvironment(string name, string value, int overwrite);

    [LibraryImport(Library, EntryPoint = "mallopt")]
    public static partial int MallocOption(int option, int value);

    [LibraryImport(Library, EntryPoint = "malloc_trim")]
    public static partial int MallocTrim(nuint keep);

    [LibraryImport(Library, EntryPoint = "setns", SetLastError = true)]
    public static partial int SetNamespace(SafeFd descriptor, int type);

    [LibraryImport(Library, EntryPoint = "unshare", SetLastError = true)]
    public static partial int Unshare(int flags);

    [LibraryImport(Library, EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Mount(string source, string target, string? type, ulong flags, string? data);

    [LibraryImport(Library, EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unmount(string target, int flags);

    [LibraryImport(Library, EntryPoint = "unlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unlink(string path);

    /// <summary>The kernel's struct stat; its first two 64-bit words are st_dev and st_ino (x86-64, arm64).</summary>
    [LibraryImport(Library, EntryPoint = "fstat", SetLastError = true)]
    public static partial int Fstat(SafeFd descriptor, Span<ulong> stat);

    /// <summary>The first word of struct statfs is f_type.</summary>
    [LibraryImport(Library, EntryPoint = "fstatfs", SetLastError = true)]
    public static partial int Fstatfs(SafeFd descriptor, Span<ulong> stat);

    [LibraryImport(Library, EntryPoint = "ioctl", SetLastError = true)]
    public static partial int Ioctl(SafeFd descriptor, nuint request, nint argument);

    [LibraryImport(Library, EntryPoint = "socket", SetLastError = true)]
    private static partial int SocketNumber(int family, int type, int protocol);

    [LibraryImport(Library, EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(SafeFd socket, in SockAddrNl address, int length);

    [LibraryImport(Library, EntryPoint = "bind", SetLastError = true)]
    public static partial int Bind(SafeFd socket, in SockAddrIn address, int length);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetSocketOption(
        SafeFd socket, int level, int option, ReadOnlySpan<int> value, int length);

    [LibraryImport(Library, EntryPoint = "setsockopt", SetLastError = true)]
    public static partial int SetSocketOption(
        SafeFd socket, int level, int option, ReadOnlySpan<long> value, int length);

    [LibraryImport(Library, EntryPoint = "sendto", SetLastError = true)]
    public static partial nint SendTo(
        SafeFd socket, ReadOnlySpan<byte> buffer, nuint length, int flags, in SockAddrNl address, int addressLength);

    [LibraryImport(Library, EntryPoint = "recvfrom", SetLastError = true)]
    public static partial nint ReceiveFrom(
        SafeFd socket, Span<byte> buffer, nuint length, int flags, ref SockAddrNl address, ref int addressLength);

    [LibraryImport(Library, EntryPoint = "getsockopt", SetLastError = true)]
    public static partial int GetSocketOption(
        SafeSocketHandle socket, int level, int option, Span<uint> value, ref int length);

    [LibraryImport(Library, EntryPoint = "recvmmsg", SetLastError = true)]
    public static partial int ReceiveMany(
        SafeSocketHandle socket, nint messages, uint count, int flags, nint timeout);

    [LibraryImport(Library, EntryPoint = "sendmmsg", SetLastError = true)]
    public static partial int SendMany(SafeSocketHandle socket, nint messages, uint count, int flags);

    [LibraryImport(Library, EntryPoint = "ppoll", SetLastError = true)]
    public static partial int Poll(Span<PollFd> descriptors, nuint count, in TimeSpec timeout, nint signals);

    /// <summary>Invalid on failure; the errno is in <see cref="Errno.Last"/>.</summary>
    public static SafeFd Epoll(int flags) => new(EpollNumber(flags));

    [LibraryImport(Library, EntryPoint = "epoll_ctl", SetLastError = true)]
    public static partial int ChangeEpoll(SafeFd epoll, int operation, SafeHandle descriptor, ref byte interest);

    [LibraryImport(Library, EntryPoint = "epoll_wait", SetLastError = true)]
    public static partial int WaitEpoll(SafeFd epoll, Span<byte> events, int count, int milliseconds);

    [LibraryImport(Library, EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int EpollNumber(int flags);

    [LibraryImport(Library, EntryPoint = "eventfd", SetLastError = true)]
    private static partial int EventFdNumber(uint count, int flags);
}

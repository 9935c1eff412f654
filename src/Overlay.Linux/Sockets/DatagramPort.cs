using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Overlay.Linux.Native;

namespace Overlay.Linux.Sockets;

/// <summary>
/// A UDP socket whose one owner sleeps on it, reads what has come in batches and sends in batches, each by one system
/// call (recvmmsg(2), sendmmsg(2)) and without allocation. Other threads may only <see cref="Wake"/> it.
/// </summary>
/// <remarks>
/// One thread with one wait is the point: between a datagram and the owner lie neither an event loop nor a pool, and
/// a deadline costs no timer.
/// </remarks>
public sealed unsafe class DatagramPort : IDisposable
{
    /// <summary>Datagrams that one system call takes or gives.</summary>
    public const int BatchSize = 16;

    private const int MaxDatagram = 65536;
    private const int MaxQueuedBytes = 64 * 1024;
    private const int MaxKnownSources = 4096;
    private const int ReceiveBufferBytes = 2 << 20;

    private readonly Socket socket;
    private readonly SafeFd wakeup;
    private readonly DatagramBatch incoming = new(BatchSize, MaxDatagram);
    private readonly DatagramBatch outgoing = new(BatchSize, 0);
    private readonly byte[] queuedBytes = GC.AllocateUninitializedArray<byte>(MaxQueuedBytes, pinned: true);
    private readonly IPEndPoint[] queuedTo = new IPEndPoint[BatchSize];
    private readonly Dictionary<SourceKey, IPEndPoint> sources = [];
    private readonly Action<IPEndPoint, SocketError> failed;
    private int queued;
    private int queuedLength;
    private int sleeping;

    /// <param name="listen">Port 0: one that is free. The wildcard of IPv6 takes IPv4 too.</param>
    /// <param name="failed">Told of a datagram that the kernel refused to send, on the owner's thread.</param>
    /// <exception cref="SocketException">The address is not this host's, or the port is taken.</exception>
    public DatagramPort(IPEndPoint listen, Action<IPEndPoint, SocketError> failed)
    {
        this.failed = failed;
        socket = new(listen.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            if (listen.Address.Equals(IPAddress.IPv6Any))
            {
                socket.DualMode = true;
            }

            socket.ReceiveBufferSize = ReceiveBufferBytes;
            socket.Bind(listen);
            LocalEndPoint = (IPEndPoint)socket.LocalEndPoint!;
            wakeup = Libc.EventFd(0, Libc.EventCloseOnExec | Libc.EventNonBlocking);
            if (wakeup.IsInvalid)
            {
                throw KernelException.FromLastError("cannot make an eventfd");
            }
        }
        catch
        {
            socket.Dispose();
            incoming.Dispose();
            outgoing.Dispose();
            throw;
        }
    }

    public IPEndPoint LocalEndPoint { get; }

    public long SentDatagrams { get; private set; }

    public long SentBytes { get; private set; }

    public long ReceivedDatagrams { get; private set; }

    public long ReceivedBytes { get; private set; }

    public long SendErrors { get; private set; }

    /// <summary>Datagrams that came while the receive buffer was full, as the kernel counts them.</summary>
    public long DroppedDatagrams
    {
        get
        {
            // linux/sock_diag.h: SK_MEMINFO_DROPS is the ninth of these.
            const int Drops = 8;
            Span<uint> info = stackalloc uint[Drops + 1];
            int length = info.Length * sizeof(uint);
            try
            {
                return Libc.GetSocketOption(
                    socket.SafeHandle, Libc.LevelSocket, Libc.OptionMemoryInfo, info, ref length) == 0 ? info[Drops] : 0;
            }
            catch (ObjectDisposedException)
            {
                // Read by another thread while the owner closed the port.
                return 0;
            }
        }
    }

    /// <summary>
    /// Sleeps until a datagram waits, someone wakes the port, or the time is up. <paramref name="idle"/> is asked once
    /// more when the port already counts as asleep, so that work which was queued just before is not slept over.
    /// </summary>
    public void Wait(TimeSpan timeout, Func<bool> idle)
    {
        Volatile.Write(ref sleeping, 1);
        Interlocked.MemoryBarrier();
        if (timeout > TimeSpan.Zero && idle())
        {
            Span<PollFd> descriptors =
            [
                new() { Descriptor = (int)socket.SafeHandle.DangerousGetHandle(), Events = Libc.PollIn },
                new() { Descriptor = wakeup.Number, Events = Libc.PollIn },
            ];
            TimeSpec limit = new()
            {
                Seconds = timeout.Ticks / TimeSpan.TicksPerSecond,
                Nanoseconds = timeout.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick,
            };
            // Interrupted or not, the owner looks at everything after it.
            Libc.Poll(descriptors, 2, in limit, 0);
            if ((descriptors[1].Returned & Libc.PollIn) != 0)
            {
                Span<byte> count = stackalloc byte[sizeof(long)];
                Libc.Read(wakeup, count, sizeof(long));
            }
        }

        Volatile.Write(ref sleeping, 0);
    }

    /// <summary>Ends the owner's sleep; from any thread. Costs nothing while the owner is awake.</summary>
    public void Wake()
    {
        Interlocked.MemoryBarrier();
        if (Interlocked.Exchange(ref sleeping, 0) == 1)
        {
            ReadOnlySpan<byte> one = [1, 0, 0, 0, 0, 0, 0, 0];
            Libc.Write(wakeup, one, sizeof(long));
        }
    }

    /// <summary>Takes what waits, at most <see cref="BatchSize"/>; what was taken before is overwritten.</summary>
    /// <returns>How many; 0: nothing waits.</returns>
    /// <exception cref="KernelException">The socket itself fails.</exception>
    public int Receive()
    {
        incoming.ResetNames();
        int count = Libc.ReceiveMany(
            socket.SafeHandle, (nint)incoming.Headers, BatchSize, Libc.MessageDontWait, 0);
        if (count < 0)
        {
            // An ICMP error about something sent before is reported here too; the socket is fine.
            return Errno.Last is Errno.Again or Errno.Interrupted or Errno.ConnectionRefused or Errno.HostUnreachable
                or Errno.NetworkUnreachable or Errno.MessageSize
                ? 0
                : throw KernelException.FromLastError("cannot receive datagrams");
        }

        for (int i = 0; i < count; i++)
        {
            ReceivedBytes += incoming.Headers[i].Length;
        }

        ReceivedDatagrams += count;
        return count;
    }

    /// <summary>A datagram of the last <see cref="Receive"/>; valid until the next.</summary>
    public ReadOnlySpan<byte> Payload(int index) => incoming.Payload(index);

    /// <summary>Its sender; an IPv4 address as such also where the socket is of IPv6.</summary>
    public IPEndPoint Source(int index)
    {
        SourceKey key = SourceKey.Of(incoming.Names[index]);
        if (sources.TryGetValue(key, out IPEndPoint? known))
        {
            return known;
        }

        if (sources.Count == MaxKnownSources)
        {
            // Anyone can send from many addresses: forget them all rather than grow.
            sources.Clear();
        }

        IPEndPoint source = EndPointOf(incoming.Names[index]);
        sources.Add(key, source);
        return source;
    }

    /// <summary>Copies a datagram into the batch that the next <see cref="Flush"/> sends.</summary>
    public void Send(IPEndPoint to, ReadOnlySpan<byte> payload)
    {
        if (queued == BatchSize || queuedLength + payload.Length > MaxQueuedBytes)
        {
            Flush();
        }

        if (payload.Length > MaxQueuedBytes)
        {
            SendErrors++;
            failed(to, SocketError.MessageSize);
            return;
        }

        payload.CopyTo(queuedBytes.AsSpan(queuedLength));
        byte* start = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(queuedBytes, queuedLength);
        outgoing.Vectors[queued] = new() { Base = (nint)start, Length = (nuint)payload.Length };
        outgoing.Headers[queued].NameLength = Write(to, ref outgoing.Names[queued]);
        queuedTo[queued++] = to;
        queuedLength += payload.Length;
    }

    /// <summary>Sends what was queued. What the kernel refuses is reported and not tried again.</summary>
    public void Flush()
    {
        for (int next = 0; next < queued;)
        {
            int sent = Libc.SendMany(
                socket.SafeHandle, (nint)(outgoing.Headers + next), (uint)(queued - next), Libc.MessageDontWait);
            if (sent > 0)
            {
                for (int i = 0; i < sent; i++)
                {
                    SentBytes += (long)outgoing.Vectors[next + i].Length;
                }

                SentDatagrams += sent;
                next += sent;
            }
            else if (Errno.Last != Errno.Interrupted)
            {
                SendErrors++;
                failed(queuedTo[next], ErrorOf(Errno.Last));
                next++;
            }
        }

        queued = 0;
        queuedLength = 0;
    }

    public void Dispose()
    {
        socket.Dispose();
        wakeup.Dispose();
        incoming.Dispose();
        outgoing.Dispose();
    }

    internal static SocketError ErrorOf(int errno) => errno switch
    {
        Errno.NetworkUnreachable => SocketError.NetworkUnreachable,
        Errno.HostUnreachable => SocketError.HostUnreachable,
        Errno.ConnectionRefused => SocketError.ConnectionRefused,
        Errno.MessageSize => SocketError.MessageSize,
        Errno.NoBuffers or Errno.Again => SocketError.NoBufferSpaceAvailable,
        Errno.NoPermission or Errno.Access => SocketError.AccessDenied,
        Errno.Invalid or Errno.AddressNotAvailable => SocketError.AddressNotAvailable,
        _ => SocketError.SocketError,
    };

    private uint Write(IPEndPoint to, ref SockAddrIn name)
    {
        const uint Length4 = 16;
        const uint Length6 = 28;
        name = default;
        name.Port = BinaryPrimitives.ReverseEndianness((ushort)to.Port);
        if (socket.AddressFamily == AddressFamily.InterNetwork && to.AddressFamily == AddressFamily.InterNetwork)
        {
            name.Family = Libc.FamilyInet;
            to.Address.TryWriteBytes(MemoryMarshal.AsBytes(new Span<uint>(ref name.Address4)), out _);
            return Length4;
        }

        name.Family = Libc.FamilyInet6;
        fixed (byte* bytes = name.Address6)
        {
            Span<byte> address = new(bytes, 16);
            if (to.AddressFamily == AddressFamily.InterNetwork)
            {
                // RFC 4291, 2.5.5.2: an IPv4-mapped IPv6 address.
                address[10] = address[11] = 0xff;
                to.Address.TryWriteBytes(address[12..], out _);
            }
            else
            {
                to.Address.TryWriteBytes(address, out _);
                name.Scope = (uint)to.Address.ScopeId;
            }
        }

        return Length6;
    }

    private static IPEndPoint EndPointOf(SockAddrIn name)
    {
        int port = BinaryPrimitives.ReverseEndianness(name.Port);
        if (name.Family == Libc.FamilyInet)
        {
            return new(new IPAddress(MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in name.Address4))), port);
        }

        IPAddress address = new(new ReadOnlySpan<byte>(name.Address6, 16), name.Scope);
        return new(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, port);
    }

    private readonly record struct SourceKey(ulong High, ulong Low, ulong Rest)
    {
        public static SourceKey Of(SockAddrIn name) => name.Family == Libc.FamilyInet
            ? new(0, name.Address4, name.Port)
            : new(
                BinaryPrimitives.ReadUInt64LittleEndian(new(name.Address6, 8)),
                BinaryPrimitives.ReadUInt64LittleEndian(new(name.Address6 + 8, 8)),
                ((ulong)name.Scope << 32) | name.Port | (1UL << 16));
    }
}

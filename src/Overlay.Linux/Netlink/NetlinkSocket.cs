using System.Runtime.InteropServices;
using Overlay.Linux.Native;

namespace Overlay.Linux.Netlink;

/// <summary>Takes one message of a dump; false: not of interest.</summary>
internal delegate bool TryParseMessage<T>(NetlinkMessage message, out T item);

/// <summary>
/// A blocking netlink socket, used by one thread. It belongs to the network namespace of the thread that opened it,
/// for ever. Its port id is one of <see cref="OwnPorts"/>, by which our own changes are told from others' in
/// notifications.
/// </summary>
internal sealed class NetlinkSocket : IDisposable
{
    /// <summary>Receive buffer unless another size is asked for.</summary>
    public const int ReceiveBufferBytes = 8 << 20;

    /// <summary>A dump that changed under our hands is repeated at most this often; the last is then taken.</summary>
    private const int MaxDumpAttempts = 4;

    private const int MaxDumpMessages = 1_000_000;
    private const int SendBufferBytes = 1 << 20;
    private const long ReceiveTimeoutSeconds = 10;

    private static uint nextPort = (uint)Environment.ProcessId * 31;

    private readonly SafeFd socket;
    private readonly MessageBuilder builder = new();
    private byte[] receive = new byte[64 * 1024];
    private uint nextSequence = 1;

    private NetlinkSocket(SafeFd socket) => this.socket = socket;

    /// <summary>Opens a socket in the calling thread's network namespace.</summary>
    /// <exception cref="KernelException">The kernel refuses.</exception>
    public static NetlinkSocket Open(int protocol)
    {
        SafeFd socket = OpenDescriptor(protocol, groups: [], useOwnPort: true, ReceiveBufferBytes);
        try
        {
            SetOption(socket, Libc.LevelNetlink, NetlinkConstants.OptionCapAck, 1, required: true);
            SetOption(socket, Libc.LevelNetlink, NetlinkConstants.OptionExtendedAck, 1, required: true);
            SetOption(socket, Libc.LevelNetlink, NetlinkConstants.OptionStrictCheck, 1, required: false);
            SetOption(socket, Libc.LevelSocket, Libc.OptionSendBufferForce, SendBufferBytes, required: false);
            Libc.SetSocketOption(
                socket, Libc.LevelSocket, Libc.OptionReceiveTimeout, [ReceiveTimeoutSeconds, 0], 2 * sizeof(long));
            return new(socket);
        }
        catch (KernelException)
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A bound socket in the calling thread's network namespace that hears the given groups.</summary>
    public static SafeFd OpenDescriptor(int protocol, ReadOnlySpan<int> groups, bool useOwnPort, int receiveBytes)
    {
        SafeFd socket = Libc.Socket(Libc.FamilyNetlink, Libc.SocketRaw | Libc.SocketCloseOnExec, protocol);
        if (socket.IsInvalid)
        {
            throw KernelException.FromLastError($"cannot open a netlink socket of protocol {protocol}");
        }

        try
        {
            SetOption(socket, Libc.LevelSocket, Libc.OptionReceiveBufferForce, receiveBytes, required: false);
            Bind(socket, useOwnPort);
            foreach (int group in groups)
            {
                SetOption(socket, Libc.LevelNetlink, NetlinkConstants.OptionAddMembership, group, required: true);
            }

            return socket;
        }
        catch (KernelException)
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>An empty batch, to be filled and given to <see cref="Execute"/>.</summary>
    public MessageBuilder NewBatch()
    {
        builder.Clear(nextSequence);
        return builder;
    }

    /// <summary>Sends all messages of the batch by one system call and returns an answer for each.</summary>
    /// <exception cref="KernelException">The socket itself fails; nothing is known about the requests.</exception>
    public NetlinkReply[] Execute(MessageBuilder batch)
    {
        NetlinkReply[] replies = new NetlinkReply[batch.Count];
        if (batch.Count == 0)
        {
            return replies;
        }

        batch.AcknowledgeLast();
        Send(batch);
        uint last = batch.FirstSequence + (uint)batch.Count - 1;
        for (bool finished = false; !finished;)
        {
            MessageReader reader = new(ReceiveMessages());
            while (reader.TryNext(out NetlinkMessage message))
            {
                uint index = message.Header.Sequence - batch.FirstSequence;
                if (message.Header.Type == NetlinkConstants.TypeError && index < (uint)replies.Length
                    && NetlinkReply.TryRead(message, out NetlinkReply reply))
                {
                    replies[index] = reply;
                    finished |= message.Header.Sequence == last;
                }
            }
        }

        return replies;
    }

    /// <summary>Sends one request that is answered by one message, and reads it.</summary>
    /// <returns>The errno; 0 where <paramref name="item"/> was read.</returns>
    public int Get<T>(MessageBuilder request, TryParseMessage<T> parse, out T? item)
    {
        Send(request);
        while (true)
        {
            MessageReader reader = new(ReceiveMessages());
            while (reader.TryNext(out NetlinkMessage message))
            {
                if (message.Header.Sequence != request.FirstSequence)
                {
                    continue;
                }

                if (message.Header.Type == NetlinkConstants.TypeError
                    && NetlinkReply.TryRead(message, out NetlinkReply reply))
                {
                    item = default;
                    return reply.Errno == 0 ? Errno.Protocol : reply.Errno;
                }

                return parse(message, out item) ? 0 : Errno.Protocol;
            }
        }
    }

    /// <summary>Sends one dump request and gathers what <paramref name="parse"/> takes of the answers.</summary>
    /// <exception cref="KernelException">The kernel refuses the dump.</exception>
    public List<T> Dump<T>(string what, Action<MessageBuilder> write, TryParseMessage<T> parse)
    {
        List<T> items = [];
        for (int attempt = 1; ; attempt++)
        {
            items.Clear();
            MessageBuilder request = NewBatch();
            write(request);
            Send(request);
            if (ReadDump(what, request.FirstSequence, parse, items) || attempt == MaxDumpAttempts)
            {
                return items;
            }
        }
    }

    public void Dispose() => socket.Dispose();

    private static void Bind(SafeFd socket, bool useOwnPort)
    {
        for (int attempt = 0; ; attempt++)
        {
            SockAddrNl address = new()
            {
                Family = Libc.FamilyNetlink,
                PortId = useOwnPort ? OwnPorts.Make(Interlocked.Increment(ref nextPort)) : 0,
            };
            if (Libc.Bind(socket, in address, Marshal.SizeOf<SockAddrNl>()) == 0)
            {
                return;
            }

            if (Errno.Last != Errno.AddressInUse || attempt == 100)
            {
                throw KernelException.FromLastError("cannot bind a netlink socket");
            }
        }
    }

    private static void SetOption(SafeFd socket, int level, int option, int value, bool required)
    {
        if (Libc.SetSocketOption(socket, level, option, [value], sizeof(int)) != 0 && required)
        {
            throw KernelException.FromLastError($"cannot set option {option} of a netlink socket");
        }
    }

    /// <returns>False where the kernel says that the dump is inconsistent.</returns>
    private bool ReadDump<T>(string what, uint sequence, TryParseMessage<T> parse, List<T> items)
    {
        bool consistent = true;
        int count = 0;
        while (true)
        {
            MessageReader reader = new(ReceiveMessages());
            while (reader.TryNext(out NetlinkMessage message))
            {
                if (message.Header.Sequence != sequence)
                {
                    continue;
                }

                consistent &= (message.Header.Flags & NetlinkConstants.DumpInterrupted) == 0;
                switch (message.Header.Type)
                {
                    case NetlinkConstants.TypeDone:
                        int code = message.Payload.Length >= 4 ? MemoryMarshal.Read<int>(message.Payload) : 0;
                        return code >= 0 ? consistent : throw new KernelException($"cannot list {what}", -code);
                    case NetlinkConstants.TypeError when NetlinkReply.TryRead(message, out NetlinkReply reply):
                        throw new KernelException($"cannot list {what}", reply.Errno, reply.Text);
                    default:
                        if (parse(message, out T item))
                        {
                            items.Add(item);
                        }

                        break;
                }

                if (++count > MaxDumpMessages)
                {
                    throw new KernelException($"cannot list {what}: more than {MaxDumpMessages} entries", Errno.Range);
                }
            }
        }
    }

    private void Send(MessageBuilder batch)
    {
        nextSequence = batch.FirstSequence + (uint)batch.Count;
        SockAddrNl kernel = new() { Family = Libc.FamilyNetlink };
        nint sent;
        do
        {
            sent = Libc.SendTo(
                socket, batch.Written, (nuint)batch.Length, 0, in kernel, Marshal.SizeOf<SockAddrNl>());
        }
        while (sent < 0 && Errno.Last == Errno.Interrupted);

        if (sent != batch.Length)
        {
            throw KernelException.FromLastError($"cannot send {batch.Count} netlink messages");
        }
    }

    /// <summary>One datagram from the kernel.</summary>
    private ReadOnlySpan<byte> ReceiveMessages()
    {
        while (true)
        {
            SockAddrNl sender = default;
            int senderLength = Marshal.SizeOf<SockAddrNl>();
            nint length = Libc.ReceiveFrom(
                socket, receive, (nuint)receive.Length, Libc.MessageTruncate, ref sender, ref senderLength);
            if (length < 0)
            {
                if (Errno.Last == Errno.Interrupted)
                {
                    continue;
                }

                throw KernelException.FromLastError("no answer from netlink");
            }

            if (length > receive.Length)
            {
                // The rest of this datagram is lost; the next try has room for it.
                receive = new byte[NetlinkConstants.Align((int)length) * 2];
                throw new KernelException("an answer from netlink was too long", Errno.MessageSize);
            }

            if (sender.PortId == 0)
            {
                return receive.AsSpan(0, (int)length);
            }
        }
    }
}

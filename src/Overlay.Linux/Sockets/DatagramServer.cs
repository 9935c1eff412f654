using System.Net.Sockets;
using Overlay.Linux.Native;

namespace Overlay.Linux.Sockets;

/// <summary>
/// One thread that sleeps on many UDP sockets (epoll(7)) and answers what comes by each in batches (recvmmsg(2), sendmmsg(2)), one batch
/// of a socket in its turn: who floods one of them waits for itself.
/// </summary>
/// <remarks>Between a question and its answer lie neither the runtime's event loop nor its pool, and nothing is allocated.</remarks>
public sealed unsafe class DatagramServer : IDisposable
{
    /// <summary>Datagrams that one system call takes or gives.</summary>
    public const int BatchSize = 32;

    private const int EventsAtOnce = 16;

    /// <summary>What an error that stays may cost is one look in so many milliseconds.</summary>
    private const int RestAfterError = 100;

    /// <summary>No entry has this number.</summary>
    private const ulong WakeUp = 0;

    private readonly SafeFd epoll;
    private readonly SafeFd wakeup;
    private readonly DatagramBatch incoming;
    private readonly DatagramBatch outgoing;
    private readonly Lock gate = new();
    private readonly Dictionary<ulong, Entry> entries = [];
    private readonly List<Entry> resting = [];
    private readonly Thread thread;
    private ulong last;
    private volatile bool isOver;

    /// <param name="name">Of the thread.</param>
    /// <param name="longestRequest">Bytes; of longer ones only the beginning is seen.</param>
    /// <param name="longestResponse">Bytes that an answer has room for.</param>
    /// <exception cref="KernelException">The process has too many open files.</exception>
    public DatagramServer(string name, int longestRequest, int longestResponse)
    {
        epoll = Libc.Epoll(Libc.EventCloseOnExec);
        wakeup = Libc.EventFd(0, Libc.EventCloseOnExec | Libc.EventNonBlocking);
        if (epoll.IsInvalid || wakeup.IsInvalid)
        {
            throw KernelException.FromLastError("cannot make an epoll of datagram sockets");
        }

        Watch(wakeup, WakeUp);
        incoming = new(BatchSize, longestRequest);
        outgoing = new(BatchSize, longestResponse);
        thread = new(Run) { IsBackground = true, Name = name };
        thread.Start();
    }

    /// <summary>
    /// Answers what comes by that socket, which stays its owner's, until the result is disposed; when that returns the service is
    /// not called any more.
    /// </summary>
    public IDisposable Serve(Socket socket, IDatagramService service)
    {
        Entry entry;
        lock (gate)
        {
            entry = new(this, ++last, socket, service);
            entries.Add(entry.Number, entry);
        }

        Watch(socket.SafeHandle, entry.Number);
        return entry;
    }

    /// <summary>Ends the thread. Sockets that are still served stay open, unheard.</summary>
    public void Dispose()
    {
        isOver = true;
        ReadOnlySpan<byte> one = [1, 0, 0, 0, 0, 0, 0, 0];
        Libc.Write(wakeup, one, sizeof(long));
        thread.Join();
        epoll.Dispose();
        wakeup.Dispose();
        incoming.Dispose();
        outgoing.Dispose();
    }

    private void Watch(System.Runtime.InteropServices.SafeHandle descriptor, ulong number)
    {
        Span<byte> interest = stackalloc byte[EpollEvent.Length];
        EpollEvent.Write(interest, EpollEvent.In, number);
        if (Libc.ChangeEpoll(epoll, EpollEvent.Add, descriptor, ref interest[0]) != 0)
        {
            throw KernelException.FromLastError("cannot watch a datagram socket");
        }
    }

    private void Leave(Entry entry)
    {
        Span<byte> unused = stackalloc byte[EpollEvent.Length];
        // It may be resting, and is not there then.
        Libc.ChangeEpoll(epoll, EpollEvent.Delete, entry.Socket.SafeHandle, ref unused[0]);
    }

    private void Run()
    {
        Span<byte> events = stackalloc byte[EventsAtOnce * EpollEvent.Length];
        while (!isOver)
        {
            int count = Libc.WaitEpoll(epoll, events, EventsAtOnce, resting.Count > 0 ? RestAfterError : -1);
            if (count < 0 && Errno.Last != Errno.Interrupted)
            {
                throw KernelException.FromLastError("cannot wait for datagrams");
            }

            for (int i = 0; i < count; i++)
            {
                ulong number = EpollEvent.Data(events[(i * EpollEvent.Length)..]);
                Entry? entry;
                lock (gate)
                {
                    entries.TryGetValue(number, out entry);
                }

                // One that has just left may have had an event before.
                entry?.Turn();
            }

            if (count == 0)
            {
                resting.ForEach(static entry => entry.Resume());
                resting.Clear();
            }
        }
    }

    /// <summary>Takes what waits, at most a batch, and answers it.</summary>
    private void Answer(Entry entry)
    {
        incoming.ResetNames();
        int count = Libc.ReceiveMany(entry.Socket.SafeHandle, (nint)incoming.Headers, BatchSize, Libc.MessageDontWait, 0);
        if (count < 0)
        {
            if (Errno.Last is not (Errno.Again or Errno.Interrupted))
            {
                SocketError error = DatagramPort.ErrorOf(Errno.Last);
                Leave(entry);
                resting.Add(entry);
                entry.Service.Failed(error);
            }

            return;
        }

        int answers = 0;
        for (int i = 0; i < count; i++)
        {
            int length = entry.Service.Respond(
                incoming.Payload(i), new(in incoming.Names[i]), new((void*)outgoing.Vectors[answers].Base, outgoing.Room));
            if (length > 0)
            {
                outgoing.Vectors[answers].Length = (nuint)length;
                outgoing.Names[answers] = incoming.Names[i];
                outgoing.Headers[answers++].NameLength = incoming.Headers[i].NameLength;
            }
        }

        for (int next = 0; next < answers;)
        {
            int sent = Libc.SendMany(entry.Socket.SafeHandle, (nint)(outgoing.Headers + next), (uint)(answers - next), Libc.MessageDontWait);
            if (sent > 0)
            {
                next += sent;
            }
            else if (Errno.Last != Errno.Interrupted)
            {
                entry.Service.Failed(DatagramPort.ErrorOf(Errno.Last));
                next++;
            }
        }
    }

    private sealed class Entry(DatagramServer server, ulong number, Socket socket, IDatagramService service) : IDisposable
    {
        private readonly Lock turn = new();
        private bool hasLeft;

        public ulong Number => number;

        public Socket Socket => socket;

        public IDatagramService Service => service;

        public void Turn()
        {
            lock (turn)
            {
                if (!hasLeft)
                {
                    server.Answer(this);
                }
            }
        }

        public void Resume()
        {
            lock (turn)
            {
                if (!hasLeft)
                {
                    server.Watch(socket.SafeHandle, number);
                }
            }
        }

        public void Dispose()
        {
            lock (turn)
            {
                if (hasLeft)
                {
                    return;
                }

                hasLeft = true;
                server.Leave(this);
            }

            lock (server.gate)
            {
                server.entries.Remove(number);
            }
        }
    }
}

using System.Buffers;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Daemon.Names;

/// <summary>
/// One sandbox's resolver: a loop on its UDP socket, one that accepts TCP connections, and one for each connection.
/// Whatever a sandbox does to its own network slows down only its own loops.
/// </summary>
internal sealed partial class SandboxResolver : IAsyncDisposable
{
    private const int QueriesPerTurn = 256;
    private static readonly TimeSpan PauseAfterError = TimeSpan.FromMilliseconds(100);

    private readonly SandboxSockets sockets;
    private readonly NameServerContext context;
    private readonly CancellationTokenSource stop = new();
    private readonly Lock gate = new();
    private readonly HashSet<Task> conversations = [];
    private readonly Task loops;
    private ZoneSet zones;

    public SandboxResolver(
        NamespaceName name,
        int client,
        SandboxSockets sockets,
        ImmutableArray<ZoneIndex> zones,
        NameServerContext context)
    {
        Name = name;
        Client = client;
        this.sockets = sockets;
        this.context = context;
        this.zones = new(zones);
        Counters = new(context.Instruments);
        sockets.Udp.Blocking = false;
        loops = Task.WhenAll(ServeUdpAsync(), AcceptTcpAsync());
    }

    public NamespaceName Name { get; }

    /// <summary>The sandbox in the forwarder's accounts.</summary>
    public int Client { get; }

    public string Identity => sockets.Identity;

    public SandboxCounters Counters { get; }

    public ImmutableArray<ZoneIndex> Zones
    {
        get => Volatile.Read(ref zones).Indexes;
        set => Volatile.Write(ref zones, new(value));
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        sockets.Dispose();
        await loops;
        Task[] open;
        lock (gate)
        {
            open = [.. conversations];
        }

        await Task.WhenAll(open);
        stop.Dispose();
    }

    private static SocketAddress Copy(SocketAddress address)
    {
        SocketAddress copy = new(address.Family, address.Size);
        address.Buffer.Span[..address.Size].CopyTo(copy.Buffer.Span);
        return copy;
    }

    private async Task ServeUdpAsync()
    {
        byte[] query = ArrayPool<byte>.Shared.Rent(context.Options.MaxQuery);
        byte[] response = ArrayPool<byte>.Shared.Rent(context.Options.Answers.MaxUdpPayload);
        SocketAddress from = new(AddressFamily.InterNetwork);
        Prng prng = new(RandomNumberGenerator.GetBytes(32));
        for (int turn = 1; !stop.IsCancellationRequested; turn++)
        {
            try
            {
                int length = await sockets.Udp.ReceiveFromAsync(query, SocketFlags.None, from, stop.Token);
                long started = context.Time.GetTimestamp();
                Answer answer = context.Answerer.Answer(query.AsSpan(0, length), Zones, false, response, prng);
                Counters.Count(in answer, false, context.Time.GetElapsedTime(started));
                if (answer.Outcome == AnswerOutcome.Answered)
                {
                    ReadOnlyMemory<byte> content = response.AsMemory(0, answer.Length);
                    await sockets.Udp.SendToAsync(content, SocketFlags.None, from, stop.Token);
                }
                else if (answer.Outcome == AnswerOutcome.Forward)
                {
                    Forward(query.AsSpan(0, length), answer.UdpLimit, Copy(from), started);
                }

                if (turn % QueriesPerTurn == 0)
                {
                    await Task.Yield();
                }
            }
            catch (SocketException e)
            {
                // An answer that could not be sent, or the sandbox's network in change.
                await RecoverAsync(e);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                break;
            }
        }

        ArrayPool<byte>.Shared.Return(query);
        ArrayPool<byte>.Shared.Return(response);
    }

    private void Forward(ReadOnlySpan<byte> query, int udpLimit, SocketAddress client, long started) =>
        context.Forwarder.Submit(Client, query, false, udpLimit, response =>
        {
            try
            {
                sockets.Udp.SendTo(response, SocketFlags.None, client);
                Counters.CountForwarded(response, context.Time.GetElapsedTime(started));
            }
            catch (SocketException)
            {
                Counters.CountDrop("SendFailed");
            }
            catch (ObjectDisposedException)
            {
                // The sandbox is gone.
            }
        });

    private async Task AcceptTcpAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                Socket connection = await sockets.Tcp.AcceptAsync(stop.Token);
                lock (gate)
                {
                    conversations.RemoveWhere(static c => c.IsCompleted);
                    if (conversations.Count < context.Options.MaxTcpConnections)
                    {
                        TcpConversation conversation = new(this, connection, context);
                        conversations.Add(Task.Run(() => conversation.RunAsync(stop.Token), CancellationToken.None));
                        continue;
                    }
                }

                Counters.CountDrop("TooManyConnections");
                connection.Dispose();
            }
            catch (SocketException e)
            {
                await RecoverAsync(e);
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                break;
            }
        }
    }

    /// <summary>A pause, so that an error that stays does not become a busy loop.</summary>
    private async Task RecoverAsync(SocketException error)
    {
        if (stop.IsCancellationRequested)
        {
            return;
        }

        Counters.CountDrop("SocketError");
        LogSocketError(context.Logger, Name, error.SocketErrorCode);
        try
        {
            await Task.Delay(PauseAfterError, context.Time, stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }

    [LoggerMessage(EventId = 504, Level = LogLevel.Debug, Message = "DNS socket of sandbox {Sandbox}: {Error}")]
    private static partial void LogSocketError(ILogger logger, NamespaceName sandbox, SocketError error);

    private sealed record ZoneSet(ImmutableArray<ZoneIndex> Indexes);
}

/// <summary>What all resolvers of the node share.</summary>
internal sealed record NameServerContext(
    NameServerOptions Options,
    Answerer Answerer,
    Forwarder Forwarder,
    Telemetry.Instruments Instruments,
    TimeProvider Time,
    ILogger Logger);

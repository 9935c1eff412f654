using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Linux.Sockets;
using Overlay.Primitives;

namespace Overlay.Daemon.Names;

/// <summary>
/// One sandbox's resolver: its UDP socket is served beside others, a batch in its turn; a loop accepts TCP connections, and each has
/// one. Whatever a sandbox does to its own network slows down only its own loops.
/// </summary>
internal sealed partial class SandboxResolver : IAsyncDisposable, IDatagramService
{
    private static readonly TimeSpan PauseAfterError = TimeSpan.FromMilliseconds(100);

    private readonly SandboxSockets sockets;
    private readonly NameServerContext context;
    private readonly CancellationTokenSource stop = new();
    private readonly Lock gate = new();
    private readonly HashSet<Task> conversations = [];
    private readonly Prng prng = new(RandomNumberGenerator.GetBytes(32));
    private readonly IDisposable datagrams;
    private readonly Task connections;
    private ZoneSet zones;

    public SandboxResolver(
        NamespaceName name,
        int client,
        SandboxSockets sockets,
        ImmutableArray<ZoneIndex> zones,
        DatagramServer server,
        NameServerContext context)
    {
        Name = name;
        Client = client;
        this.sockets = sockets;
        this.context = context;
        this.zones = new(zones);
        Counters = new(context.Instruments);
        sockets.Udp.Blocking = false;
        datagrams = server.Serve(sockets.Udp, this);
        connections = AcceptTcpAsync();
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
        datagrams.Dispose();
        sockets.Dispose();
        await connections;
        Task[] open;
        lock (gate)
        {
            open = [.. conversations];
        }

        await Task.WhenAll(open);
        stop.Dispose();
    }

    public int Respond(ReadOnlySpan<byte> request, in DatagramSource from, Span<byte> response)
    {
        long started = context.Time.GetTimestamp();
        Answer answer = context.Answerer.Answer(request, Zones, false, response, prng);
        Counters.Count(in answer, false, context.Time.GetElapsedTime(started));
        if (answer.Outcome == AnswerOutcome.Forward)
        {
            Forward(request, answer.UdpLimit, from.ToSocketAddress(), started);
        }

        return answer.Outcome == AnswerOutcome.Answered ? answer.Length : 0;
    }

    /// <summary>An answer that could not be sent, or the sandbox's network in change.</summary>
    public void Failed(SocketError error)
    {
        Counters.CountDrop("SocketError");
        LogSocketError(context.Logger, Name, error);
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

        Failed(error.SocketErrorCode);
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

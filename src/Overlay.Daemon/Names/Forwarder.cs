using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Telemetry;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Daemon.Names;

/// <summary>
/// Asks the host's servers, from the host's namespace, what the sandboxes ask and no network knows: one loop around
/// <see cref="UpstreamQueries"/>, which keeps the answers. Each question to a server has a socket, and so a random source port, of its own.
/// </summary>
/// <param name="servers">The host's servers at the moment; called from the forwarder's loop.</param>
internal sealed partial class Forwarder(
    Func<ImmutableArray<IPEndPoint>> servers,
    UpstreamOptions options,
    Instruments instruments,
    TimeProvider time,
    ILogger<Forwarder> logger) : BackgroundService
{
    private const int InboxCapacity = 4096;
    private const int MaxInputsPerTurn = 64;

    /// <summary>By <see cref="AnswerSource"/>.</summary>
    private static readonly KeyValuePair<string, object?>[] SourceLabels = [new("source", "server"), new("source", "cache"), new("source", "stale")];

    private readonly Channel<ForwarderInput> inbox = Channel.CreateBounded<ForwarderInput>(
        new BoundedChannelOptions(InboxCapacity) { SingleReader = true });

    private readonly UpstreamQueries queries = new(options, new Prng(RandomNumberGenerator.GetBytes(32)));
    private readonly UpstreamEffects effects = new();
    private readonly Dictionary<long, Action<byte[]>> clients = [];
    private readonly Dictionary<long, UpstreamSocket> sockets = [];
    private readonly long origin = time.GetTimestamp();
    private Instant armed = Instant.Never;
    private long lastTicket;
    private int pending;
    private int kept;

    /// <summary>Questions under way.</summary>
    public int Pending => Volatile.Read(ref pending);

    /// <summary>Answers that are kept.</summary>
    public int Kept => Volatile.Read(ref kept);

    /// <summary>Forwards a query; the reply is called once, from the forwarder's loop or at once.</summary>
    public void Submit(int client, ReadOnlySpan<byte> query, bool tcp, int udpLimit, Action<byte[]> reply)
    {
        byte[] copy = query.ToArray();
        if (!inbox.Writer.TryWrite(new ForwarderInput.Start(client, copy, tcp, udpLimit, reply)))
        {
            CountFailure(UpstreamFailure.TooMany);
            reply(UpstreamQueries.ServerFailure(copy));
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using ITimer timer = time.CreateTimer(
            _ => inbox.Writer.TryWrite(ForwarderInput.Tick.Instance),
            null,
            Timeout.InfiniteTimeSpan,
            Timeout.InfiniteTimeSpan);
        try
        {
            while (await inbox.Reader.WaitToReadAsync(stoppingToken))
            {
                for (int i = 0; i < MaxInputsPerTurn && inbox.Reader.TryRead(out ForwarderInput? input); i++)
                {
                    Feed(input);
                }

                Instant now = Now();
                queries.Advance(now, effects);
                Perform(stoppingToken);
                Volatile.Write(ref pending, queries.Count);
                Volatile.Write(ref kept, queries.Kept);
                if (queries.NextDeadline is var next && next != armed)
                {
                    armed = next;
                    timer.Change(DelayUntil(next, now), Timeout.InfiniteTimeSpan);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The agent stops; clients ask again.
        }
        finally
        {
            await CloseAllAsync();
        }
    }

    private static TimeSpan DelayUntil(Instant next, Instant now)
    {
        if (next == Instant.Never)
        {
            return Timeout.InfiniteTimeSpan;
        }

        // Rounded up to the timer's milliseconds, so that it does not fire just before the deadline.
        TimeSpan delay = next - now;
        return delay > TimeSpan.Zero ? TimeSpan.FromMilliseconds(Math.Ceiling(delay.TotalMilliseconds)) : TimeSpan.Zero;
    }

    private Instant Now() => new(time.GetElapsedTime(origin).Ticks * 100);

    private void Feed(ForwarderInput input)
    {
        switch (input)
        {
            case ForwarderInput.Start start:
                long ticket = ++lastTicket;
                clients.Add(ticket, start.Reply);
                queries.Start(
                    ticket, start.Client, start.Query, servers(), start.Tcp, start.UdpLimit, Now(), effects);
                break;
            case ForwarderInput.Packet packet:
                queries.Receive(packet.Attempt, packet.Source, packet.Content, Now(), effects);
                break;
            case ForwarderInput.Failed failed:
                queries.Failed(failed.Attempt, Now(), effects);
                break;
            case ForwarderInput.Tick:
                // Timers may fire a little early by our clock: what is still due later is armed again.
                armed = Instant.Never;
                break;
        }
    }

    /// <summary>
    /// Closes, sends and replies until nothing is left: a server that can not be reached leads to the next.
    /// </summary>
    private void Perform(CancellationToken cancellationToken)
    {
        while (effects.Closes.Count + effects.Sends.Count + effects.Replies.Count + effects.Mismatches > 0)
        {
            UpstreamSend[] sends = [.. effects.Sends];
            UpstreamReply[] replies = [.. effects.Replies];
            foreach (long attempt in effects.Closes)
            {
                if (sockets.Remove(attempt, out UpstreamSocket? closed))
                {
                    closed.Dispose();
                }
            }

            if (effects.Mismatches > 0)
            {
                instruments.DnsUpstreamFailures.Add(
                    effects.Mismatches, new KeyValuePair<string, object?>("reason", "Mismatch"));
            }

            effects.Clear();
            foreach (UpstreamSend send in sends)
            {
                UpstreamSocket socket = new(send, inbox.Writer);
                if (socket.TryStart(cancellationToken))
                {
                    sockets.Add(send.Attempt, socket);
                }
                else
                {
                    socket.Dispose();
                    queries.Failed(send.Attempt, Now(), effects);
                }
            }

            foreach (UpstreamReply reply in replies)
            {
                Reply(reply);
            }
        }
    }

    private void Reply(in UpstreamReply reply)
    {
        if (reply.Failure != UpstreamFailure.None)
        {
            CountFailure(reply.Failure);
            LogFailed(reply.Failure);
        }

        instruments.DnsUpstreamAnswers.Add(1, SourceLabels[(int)reply.Source]);
        if (clients.Remove(reply.Ticket, out Action<byte[]>? client))
        {
            client(reply.Packet);
        }
    }

    private void CountFailure(UpstreamFailure failure) =>
        instruments.DnsUpstreamFailures.Add(1, new KeyValuePair<string, object?>("reason", failure.ToString()));

    private async Task CloseAllAsync()
    {
        inbox.Writer.TryComplete();
        UpstreamSocket[] open = [.. sockets.Values];
        sockets.Clear();
        foreach (UpstreamSocket socket in open)
        {
            socket.Dispose();
        }

        await Task.WhenAll(open.Select(static s => s.Finished));
    }

    [LoggerMessage(EventId = 510, Level = LogLevel.Debug, Message = "A forwarded DNS query failed: {Failure}")]
    private partial void LogFailed(UpstreamFailure failure);
}

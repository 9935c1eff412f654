using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>
/// One lane to one member: a bounded outbox and a connection of its own, opened again for as long as the lane lives.
/// What waits goes out as one batch. A message that finds no room, or no connection, is dropped; Raft repeats it.
/// </summary>
internal sealed partial class PeerLane : IAsyncDisposable
{
    public static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(20);
    public static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);
    private const int FrameBytes = 1 << 20;
    private static readonly TimeSpan WelcomeTimeout = TimeSpan.FromSeconds(5);

    private readonly PeerAddress peer;
    private readonly RaftLane lane;
    private readonly PeerLinksOptions options;
    private readonly PeerOutbox outbox;
    private readonly CancellationTokenSource stopping = new();
    private readonly Prng prng;
    private readonly ILogger logger;
    private readonly KeyValuePair<string, object?>[] sent;
    private readonly Task running;
    private volatile bool connected;
    private string told = "";

    public PeerLane(PeerAddress peer, RaftLane lane, PeerLinksOptions options)
    {
        this.peer = peer;
        this.lane = lane;
        this.options = options;
        outbox = new(options.OutboxBytes);
        prng = options.NewPrng();
        logger = options.Logger;
        sent = [new("lane", lane == RaftLane.Urgent ? "urgent" : "bulk"), new("dir", "out")];
        running = RunAsync();
    }

    public bool IsConnected => connected;

    /// <returns>False: it was dropped.</returns>
    public bool TrySend(in RaftMessage message)
    {
        if (outbox.TryAdd(message))
        {
            return true;
        }

        options.Instruments.RaftPeerDrops.Add(1, new KeyValuePair<string, object?>("reason", connected ? "full" : "no connection"));
        return false;
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        await running;
        stopping.Dispose();
    }

    private async Task RunAsync()
    {
        // Whoever makes the lane does not connect it.
        await Task.Yield();
        TimeSpan pause = FirstPause;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                using GrpcChannel channel = options.Open(peer);
                await ExchangeAsync(channel);
            }
            catch (Exception e) when (e is RpcException or OperationCanceledException or IOException or InvalidOperationException)
            {
                Tell(e);
                if (e is RpcException { Trailers: var trailers })
                {
                    options.Receiver.Superseded(PeerHello.EpochIn(trailers));
                }
            }

            pause = connected ? FirstPause : pause;
            connected = false;
            if (stopping.IsCancellationRequested)
            {
                return;
            }

            Forget();
            options.Receiver.Unreachable(peer.Member);
            try
            {
                await Task.Delay(pause * (0.5 + (prng.NextDouble() / 2)), options.Time, stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private async Task ExchangeAsync(GrpcChannel channel)
    {
        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
        using AsyncDuplexStreamingCall<RaftFrames, RaftWelcome> call = new V1.Raft.RaftClient(channel).Exchange(
            cancellationToken: over.Token);
        over.CancelAfter(WelcomeTimeout);
        await call.RequestStream.WriteAsync(new() { Hello = PeerHello.To(peer.Member, options.Receiver.Self, lane) }, over.Token);
        if (!await call.ResponseStream.MoveNext(over.Token))
        {
            return;
        }

        over.CancelAfter(Timeout.InfiniteTimeSpan);
        connected = true;
        told = "";
        options.Instruments.RaftPeerConnects.Add(1, sent[0]);
        LogConnected(peer.Member, peer.Address, lane);
        Task reading = WatchEndAsync(call.ResponseStream, over);
        try
        {
            await SendAsync(call.RequestStream, over.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            // The other side ended the call, and says why.
            await reading;
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    private static async Task WatchEndAsync(IAsyncStreamReader<RaftWelcome> answers, CancellationTokenSource over)
    {
        try
        {
            while (await answers.MoveNext(CancellationToken.None))
            {
                // Nothing is said after the welcome.
            }
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    private async Task SendAsync(IClientStreamWriter<RaftFrames> stream, CancellationToken cancellationToken)
    {
        RaftFrames frames = new();
        while (true)
        {
            await outbox.WaitAsync(cancellationToken);
            ReadOnlyMemory<byte> messages = outbox.Take(out int count);
            options.Instruments.RaftPeerMessages.Add(count, sent);
            options.Instruments.RaftPeerBytes.Add(messages.Length, sent);
            while (!messages.IsEmpty)
            {
                int length = PeerOutbox.Cut(messages.Span, FrameBytes);
                // The bytes are written when the call returns, so the buffer may be used again.
                frames.Messages = UnsafeByteOperations.UnsafeWrap(messages[..length]);
                await stream.WriteAsync(frames, cancellationToken);
                messages = messages[length..];
            }
        }
    }

    /// <summary>What was meant for the connection that ended; the next one begins with news.</summary>
    private void Forget()
    {
        outbox.Take(out int dropped);
        if (dropped > 0)
        {
            options.Instruments.RaftPeerDrops.Add(dropped, new KeyValuePair<string, object?>("reason", "no connection"));
        }
    }

    /// <summary>Once per reason, and again after a connection in between.</summary>
    private void Tell(Exception error)
    {
        if (stopping.IsCancellationRequested)
        {
            return;
        }

        string why = error is RpcException { Status: var status }
            ? string.Create(CultureInfo.InvariantCulture, $"{status.StatusCode}: {status.Detail}")
            : error is OperationCanceledException ? "it did not answer" : error.Message;
        if (why != told)
        {
            told = why;
            LogBroken(peer.Member, peer.Address, lane, why);
        }
    }

    [LoggerMessage(EventId = 730, Level = LogLevel.Information, Message = "Connected to manager {Member} at {Address} ({Lane})")]
    private partial void LogConnected(MemberId member, string address, RaftLane lane);

    [LoggerMessage(EventId = 731, Level = LogLevel.Warning, Message = "Not connected to manager {Member} at {Address} ({Lane}): {Reason}")]
    private partial void LogBroken(MemberId member, string address, RaftLane lane, string reason);
}

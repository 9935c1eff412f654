using System.Buffers;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Overlay.Gossip;
using Overlay.Gossip.Wire;

namespace Overlay.Daemon.Agent;

/// <summary>
/// TCP 7946: streams of gossip, each read to one whole unit, bounded in size, number and time. Datagrams are the
/// business of <see cref="NodeLoop"/>.
/// </summary>
internal sealed partial class GossipStreams : IAsyncDisposable
{
    private const int MaxConnections = 128;

    /// <summary>One address cannot take all places.</summary>
    private const int MaxConnectionsOfOne = 16;
    private const int FirstBufferBytes = 16 * 1024;

    /// <summary>Room for a few streams of the largest size at once; usual ones need a fraction.</summary>
    private const long MaxInboundBytes = 128 << 20;

    /// <summary>One stream of the largest size.</summary>
    private const long MaxInboundBytesOfOne = 32 << 20;
    private static readonly TimeSpan StreamTimeout = TimeSpan.FromSeconds(10);

    private readonly Socket listener;
    private readonly Func<NodeInput, bool> post;
    private readonly Func<Keyring> keyring;
    private readonly ILogger logger;
    private readonly CancellationTokenSource stopping = new();
    private readonly StreamBudget budget = new(new(MaxConnections, MaxInboundBytes), new(MaxConnectionsOfOne, MaxInboundBytesOfOne));
    private readonly ConcurrentDictionary<long, TaskCompletionSource<ReadOnlyMemory<byte>>> replies = new();
    private readonly Task accepting;
    private long nextAccepted;

    public GossipStreams(
        IPEndPoint listen, Func<NodeInput, bool> post, Func<Keyring> keyring, ILogger<GossipStreams> logger)
    {
        this.post = post;
        this.keyring = keyring;
        this.logger = logger;
        listener = new(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (listen.Address.Equals(IPAddress.IPv6Any))
            {
                listener.DualMode = true;
            }

            listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            listener.Bind(listen);
            listener.Listen(MaxConnections);
        }
        catch
        {
            listener.Dispose();
            throw;
        }

        accepting = AcceptAsync(stopping.Token);
    }

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)listener.LocalEndPoint!).Port;

    /// <summary>Fails when the listener does, which only a programming error or a dead socket can cause.</summary>
    public Task Completion => accepting;

    public void Dial(StreamDial dial) => _ = DialGuardedAsync(dial);

    public void Reply(in StreamReply reply)
    {
        if (replies.TryRemove(reply.ExchangeId, out TaskCompletionSource<ReadOnlyMemory<byte>>? waiting))
        {
            waiting.TrySetResult(reply.Response);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        listener.Dispose();
        try
        {
            await accepting;
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It ends this way when the listener is closed under it.
        }

        stopping.Dispose();
    }

    private async Task AcceptAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            Socket connection = await listener.AcceptAsync(cancellationToken);
            if (SourceOf(connection) is { } source && budget.TryEnter(source.Address))
            {
                _ = ServeGuardedAsync(connection, source, cancellationToken);
            }
            else
            {
                connection.Dispose();
            }
        }
    }

    /// <summary>An IPv4 address as such also where the listener is of IPv6; null: the peer is gone again.</summary>
    private static IPEndPoint? SourceOf(Socket connection)
    {
        try
        {
            return connection.RemoteEndPoint is not IPEndPoint source ? null
                : source.Address.IsIPv4MappedToIPv6 ? new(source.Address.MapToIPv4(), source.Port)
                : source;
        }
        catch (SocketException)
        {
            // It was reset between its arrival and now.
            return null;
        }
    }

    private async Task ServeGuardedAsync(Socket connection, IPEndPoint source, CancellationToken cancellationToken)
    {
        long exchange = -Interlocked.Increment(ref nextAccepted);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StreamTimeout);
        try
        {
            using (connection)
            {
                byte[]? unit = await ReadUnitAsync(connection, source.Address, limit.Token);
                if (unit is null)
                {
                    return;
                }

                TaskCompletionSource<ReadOnlyMemory<byte>> reply = new(TaskCreationOptions.RunContinuationsAsynchronously);
                replies[exchange] = reply;
                if (!post(new StreamInput(exchange, source, unit)))
                {
                    return;
                }

                ReadOnlyMemory<byte> answer = await reply.Task.WaitAsync(limit.Token);
                await SendAllAsync(connection, answer, limit.Token);
                connection.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The peer went away or was too slow: it tries again, or its messages needed no answer.
            LogStreamEnded(exchange, e.Message);
        }
        finally
        {
            replies.TryRemove(exchange, out _);
            budget.Leave(source.Address);
        }
    }

    private async Task DialGuardedAsync(StreamDial dial)
    {
        byte[]? unit = null;
        StreamFailure failure = StreamFailure.Unreachable;
        try
        {
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(stopping.Token);
            limit.CancelAfter(dial.Timeout);
            using Socket connection = new(dial.To.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await connection.ConnectAsync(dial.To, limit.Token);
            failure = StreamFailure.Unanswered;
            await SendAllAsync(connection, dial.Request, limit.Token);
            unit = dial.ExpectsReply ? await ReadUnitAsync(connection, null, limit.Token) : [];
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            if (e is SocketException { SocketErrorCode: SocketError.ConnectionRefused })
            {
                failure = StreamFailure.Refused;
            }

            LogDialFailed(dial.To, failure, e.Message);
        }

        post(unit is null ? new StreamFailedInput(dial.ExchangeId, failure) : new StreamCompletedInput(dial.ExchangeId, unit));
    }

    /// <param name="stranger">To whom memory is lent; null: this node asked for the stream.</param>
    private async Task<byte[]?> ReadUnitAsync(Socket connection, IPAddress? stranger, CancellationToken cancellationToken)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(FirstBufferBytes);
        int length = 0;
        int lent = 0;
        try
        {
            while (true)
            {
                int read = await connection.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
                if (read == 0)
                {
                    return null;
                }

                length += read;
                switch (StreamCodec.TryMeasure(buffer.AsSpan(0, length), keyring(), out int total))
                {
                    case StreamMeasure.Complete:
                        return buffer.AsSpan(0, total).ToArray();
                    case StreamMeasure.Invalid:
                        return null;
                }

                if (length == buffer.Length)
                {
                    if (stranger is not null)
                    {
                        if (!budget.TryLend(stranger, buffer.Length))
                        {
                            return null;
                        }

                        lent += buffer.Length;
                    }

                    byte[] larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            if (stranger is not null)
            {
                budget.GiveBack(stranger, lent);
            }
        }
    }

    private static async Task SendAllAsync(Socket connection, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await connection.SendAsync(bytes, cancellationToken)..];
        }
    }

    [LoggerMessage(EventId = 302, Level = LogLevel.Debug, Message = "Gossip stream to {To} failed ({Failure}): {Reason}")]
    private partial void LogDialFailed(IPEndPoint to, StreamFailure failure, string reason);

    [LoggerMessage(EventId = 303, Level = LogLevel.Debug, Message = "Gossip stream {Exchange} ended: {Reason}")]
    private partial void LogStreamEnded(long exchange, string reason);
}

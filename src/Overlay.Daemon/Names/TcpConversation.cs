using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Daemon.Names;

/// <summary>
/// One TCP connection from a sandbox (RFC 7766): queries one after the other, each within the idle time limit. It ends
/// with the first query that is too long or too slow.
/// </summary>
internal sealed class TcpConversation(SandboxResolver resolver, Socket connection, NameServerContext context)
{
    private const int LengthPrefix = 2;
    private readonly Prng prng = new(RandomNumberGenerator.GetBytes(32));

    /// <summary>Never fails: an end of any kind is the connection's end.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        byte[] query = ArrayPool<byte>.Shared.Rent(context.Options.MaxQuery);
        byte[] response = ArrayPool<byte>.Shared.Rent(LengthPrefix + ushort.MaxValue);
        try
        {
            connection.NoDelay = true;
            await using NetworkStream stream = new(connection, ownsSocket: true);
            while (await ReadAsync(stream, query, cancellationToken) is > 0 and var length)
            {
                if (await AnswerAsync(query.AsMemory(0, length), response, cancellationToken) is not { } content)
                {
                    break;
                }

                using CancellationTokenSource patience = Patience(cancellationToken);
                await stream.WriteAsync(content, patience.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException
            or SocketException)
        {
            // Too slow, reset, or the sandbox is gone: nothing is owed to the client.
        }
        finally
        {
            connection.Dispose();
            ArrayPool<byte>.Shared.Return(query);
            ArrayPool<byte>.Shared.Return(response);
        }
    }

    private CancellationTokenSource Patience(CancellationToken cancellationToken)
    {
        CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(context.Options.TcpIdleTimeout);
        return patience;
    }

    /// <summary>Reads one query; 0 at the end of the stream or if it is too long.</summary>
    private async Task<int> ReadAsync(NetworkStream stream, byte[] query, CancellationToken cancellationToken)
    {
        using CancellationTokenSource patience = Patience(cancellationToken);
        int read = await stream.ReadAtLeastAsync(
            query.AsMemory(0, LengthPrefix), LengthPrefix, throwOnEndOfStream: false, patience.Token);
        int length = read < LengthPrefix ? 0 : BinaryPrimitives.ReadUInt16BigEndian(query);
        if (length == 0 || length > context.Options.MaxQuery)
        {
            return 0;
        }

        await stream.ReadExactlyAsync(query.AsMemory(0, length), patience.Token);
        return length;
    }

    /// <summary>The response with its length in front; null: none, and the connection ends.</summary>
    private async Task<ReadOnlyMemory<byte>?> AnswerAsync(
        ReadOnlyMemory<byte> query, byte[] response, CancellationToken cancellationToken)
    {
        long started = context.Time.GetTimestamp();
        Answer answer = context.Answerer.Answer(
            query.Span, resolver.Zones, true, response.AsSpan(LengthPrefix, ushort.MaxValue), prng);
        resolver.Counters.Count(in answer, true, context.Time.GetElapsedTime(started));
        int length = answer.Length;
        if (answer.Outcome == AnswerOutcome.Forward)
        {
            TaskCompletionSource<byte[]> reply = new(TaskCreationOptions.RunContinuationsAsynchronously);
            context.Forwarder.Submit(resolver.Client, query.Span, true, 0, packet => reply.TrySetResult(packet));
            byte[] packet = await reply.Task.WaitAsync(cancellationToken);
            resolver.Counters.CountForwarded(packet, context.Time.GetElapsedTime(started));
            packet.CopyTo(response, LengthPrefix);
            length = packet.Length;
        }

        BinaryPrimitives.WriteUInt16BigEndian(response, (ushort)length);
        return length > 0 ? response.AsMemory(0, LengthPrefix + length) : null;
    }
}

using System.Buffers;
using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Grpc.Core;

namespace Overlay.Daemon.Cli;

/// <summary>
/// The command line's calls to its agent: gRPC-Web by HTTP/1.1 over the Unix socket, one connection a call, one at a
/// time, blocking. A command lives for a few dozen milliseconds and makes one call: HttpClient's start would be most of
/// that time.
/// </summary>
/// <param name="socketPath">Where the agent listens.</param>
/// <param name="time">By which deadlines count.</param>
internal sealed class GrpcWebCalls(string socketPath, TimeProvider time) : CallInvoker
{
    /// <summary>A backup is the longest answer.</summary>
    private const int MaxMessage = Storage.BackupFile.MostBytes + (64 << 10);

    /// <summary>A flag and the length of what follows.</summary>
    private const int FrameHeader = 5;

    /// <summary>The server ends a call at its deadline itself; its answer is given this long to arrive.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <summary>Why the socket could not be connected to, if that is why the last call failed.</summary>
    public SocketError? Refused { get; private set; }

    /// <exception cref="RpcException">The agent refused, or was not there, or said something else.</exception>
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        TimeSpan? limit = options.Deadline is { } deadline && deadline != DateTime.MaxValue
            ? deadline.ToUniversalTime() - time.GetUtcNow().UtcDateTime
            : null;
        byte[] answer = Exchange(Encode(method, request, limit), limit, options.CancellationToken);
        if (!GrpcWebAnswer.TryRead(answer, out GrpcWebAnswer parsed))
        {
            throw Failed(StatusCode.Unavailable, "its answer broke off or is no gRPC");
        }

        if (parsed.Status.StatusCode != StatusCode.OK)
        {
            throw new RpcException(parsed.Status, parsed.Trailers);
        }

        return parsed.Message is { } message
            ? method.ResponseMarshaller.ContextualDeserializer(new Payload(message))
            : throw Failed(StatusCode.Internal, "its answer has no message");
    }

    /// <summary>Done when it returns: the command line has nothing else to do meanwhile.</summary>
    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        Task<TResponse> answer;
        try
        {
            answer = Task.FromResult(BlockingUnaryCall(method, host, options, request));
        }
        catch (RpcException error)
        {
            answer = Task.FromException<TResponse>(error);
        }

        return new(
            answer,
            Task.FromResult(Metadata.Empty),
            () => answer.Exception?.InnerException is RpcException failed ? failed.Status : Status.DefaultSuccess,
            static () => Metadata.Empty,
            static () => { });
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw Streams();

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) => throw Streams();

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) => throw Streams();

    private static NotSupportedException Streams() => new("Streams need HTTP/2: use a GrpcChannel.");

    private static RpcException Failed(StatusCode code, string detail) => new(new Status(code, detail));

    private static byte[] Encode<TRequest, TResponse>(Method<TRequest, TResponse> method, TRequest request, TimeSpan? limit)
    {
        Body body = new();
        method.RequestMarshaller.ContextualSerializer(request, body);
        long milliseconds = (long)Math.Clamp(Math.Ceiling(limit?.TotalMilliseconds ?? 0), 0, 99_999_999);
        string timeout = limit is null ? "" : $"grpc-timeout: {milliseconds}m\r\n";
        string head = $"POST {method.FullName} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            + $"content-type: application/grpc-web+proto\r\n{timeout}content-length: {FrameHeader + body.Written.Length}\r\n\r\n";
        Span<byte> header = stackalloc byte[FrameHeader];
        BinaryPrimitives.WriteInt32BigEndian(header[1..], body.Written.Length);
        return [.. Encoding.ASCII.GetBytes(head), .. header, .. body.Written];
    }

    private byte[] Exchange(byte[] request, TimeSpan? limit, CancellationToken cancellationToken)
    {
        Refused = null;
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        // Closing the connection is how a call is cancelled, and what ends the wait.
        using CancellationTokenRegistration closing = cancellationToken.Register(socket.Dispose);
        try
        {
            Connect(socket);
            int patience = limit is { } span ? (int)Math.Min((span + Grace).TotalMilliseconds, int.MaxValue) : 0;
            socket.SendTimeout = Math.Max(0, patience);
            socket.ReceiveTimeout = Math.Max(0, patience);
            socket.Send(request);
            return ReceiveAll(socket);
        }
        catch (Exception error) when (cancellationToken.IsCancellationRequested && error is SocketException or ObjectDisposedException)
        {
            throw Failed(StatusCode.Cancelled, "the call was cancelled");
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            throw Failed(StatusCode.DeadlineExceeded, "Deadline Exceeded");
        }
        catch (SocketException error)
        {
            throw Failed(StatusCode.Unavailable, error.Message);
        }
    }

    private void Connect(Socket socket)
    {
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(socketPath));
        }
        catch (SocketException reason)
        {
            Refused = reason.SocketErrorCode;
            throw;
        }
    }

    private static byte[] ReceiveAll(Socket socket)
    {
        byte[] buffer = new byte[16 * 1024];
        int length = 0;
        for (int read = socket.Receive(buffer); read > 0; read = socket.Receive(buffer, length, buffer.Length - length, SocketFlags.None))
        {
            length += read;
            if (length > MaxMessage)
            {
                throw Failed(StatusCode.ResourceExhausted, $"its answer is longer than the limit of {MaxMessage} bytes");
            }

            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }
        }

        return buffer.AsSpan(0, length).ToArray();
    }

    /// <summary>Where a marshaller writes the one message.</summary>
    private sealed class Body : SerializationContext
    {
        private readonly ArrayBufferWriter<byte> bytes = new();

        public ReadOnlySpan<byte> Written => bytes.WrittenSpan;

        public override void SetPayloadLength(int payloadLength)
        {
            // A hint; the bytes are counted when they are there.
        }

        public override IBufferWriter<byte> GetBufferWriter() => bytes;

        public override void Complete(byte[] payload) => bytes.Write(payload);

        public override void Complete()
        {
            // All is in the buffer.
        }
    }

    private sealed class Payload(byte[] message) : DeserializationContext
    {
        public override int PayloadLength => message.Length;

        public override byte[] PayloadAsNewBuffer() => message;

        public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => new(message);
    }
}

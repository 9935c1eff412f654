using System.Net.Sockets;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Overlay.Daemon.Cli;
using Overlay.Tests.Protos;

namespace Overlay.Tests.Grpc;

/// <summary>gRPC-Web by HTTP/1.1: the command line's calls against a served service, and the bytes themselves.</summary>
public sealed class GrpcWebTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private EchoServer server = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => server = await EchoServer.StartAsync(unixSocket: true, web: true);

    public ValueTask DisposeAsync() => server.DisposeAsync();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(60_000)]
    public async Task A_message_goes_there_and_back(int size)
    {
        byte[] payload = [.. Enumerable.Range(0, size).Select(i => (byte)(i * 7))];
        EchoReply reply = await Client().UnaryAsync(
            new() { Text = "grüße", Payload = ByteString.CopyFrom(payload) }, cancellationToken: Stop);
        Assert.Equal(("grüße", ByteString.CopyFrom(payload)), (reply.Text, reply.Payload));
        Assert.Equal("grüße", Client().Unary(new() { Text = "grüße" }, cancellationToken: Stop).Text);
    }

    [Fact]
    public async Task A_refusal_arrives_with_its_text_and_trailers()
    {
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            async () => await Client().UnaryAsync(new() { Behaviour = "fail" }, cancellationToken: Stop));
        Assert.Equal((StatusCode.FailedPrecondition, "größer % als\n1"), (error.StatusCode, error.Status.Detail));
        Assert.Equal("asked", error.Trailers.GetValue("reason"));
        Assert.Equal([1, 2, 0xFF], error.Trailers.GetValueBytes("grpc-status-details-bin"));
    }

    [Fact]
    public async Task A_fault_of_the_service_keeps_its_secrets()
    {
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            async () => await Client().UnaryAsync(new() { Behaviour = "throw" }, cancellationToken: Stop));
        Assert.Equal(StatusCode.Unknown, error.StatusCode);
        Assert.DoesNotContain("secret", error.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_method_that_does_not_exist_and_one_that_is_not_written()
    {
        Other.OtherClient other = new(Calls());
        RpcException error = await Assert.ThrowsAsync<RpcException>(async () => await other.NothingAsync(new(), cancellationToken: Stop));
        Assert.Equal(StatusCode.Unimplemented, error.StatusCode);
    }

    [Theory]
    [InlineData("wait")]
    [InlineData("deaf")]
    public async Task The_deadline_ends_the_call(string behaviour)
    {
        CallOptions options = new(deadline: DateTime.UtcNow.AddMilliseconds(100));
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            async () => await Client().UnaryAsync(new() { Behaviour = behaviour }, options));
        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
    }

    [Fact]
    public async Task Cancelling_ends_the_call_here_and_there()
    {
        using CancellationTokenSource stop = new();
        Task<RpcException> call = Task.Run(() => Assert.Throws<RpcException>(
            () => Client().Unary(new() { Behaviour = "wait" }, new CallOptions(cancellationToken: stop.Token))));
        await server.Seen.Started.Task.WaitAsync(Patience, Stop);
        await stop.CancelAsync();
        Assert.Equal(StatusCode.Cancelled, (await call.WaitAsync(Patience, Stop)).StatusCode);
        await server.Seen.Cancelled.Task.WaitAsync(Patience, Stop);
    }

    [Fact]
    public async Task Nobody_there_is_told_apart()
    {
        GrpcWebCalls calls = new($"{server.SocketPath}-other", TimeProvider.System);
        RpcException error = await Assert.ThrowsAsync<RpcException>(
            async () => await new Echo.EchoClient(calls).UnaryAsync(new(), cancellationToken: Stop));
        Assert.Equal((StatusCode.Unavailable, SocketError.AddressNotAvailable), (error.StatusCode, calls.Refused));
    }

    [Fact]
    public async Task A_stream_of_answers_ends_with_its_trailers()
    {
        string answer = await AskAsync("Repeat", new EchoRequest { Text = "x", Count = 2 }, "application/grpc-web+proto");
        Assert.Contains("Content-Type: application/grpc-web+proto\r\n", answer, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("grpc-status: 0\r\n", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("application/grpc", "HTTP/1.1 426 ")]
    [InlineData("application/grpc-web-text", "HTTP/1.1 415 ")]
    [InlineData("application/json", "HTTP/1.1 415 ")]
    public async Task Other_types_are_refused_as_ever(string contentType, string expected) =>
        Assert.StartsWith(expected, await AskAsync("Unary", new EchoRequest(), contentType), StringComparison.Ordinal);

    private GrpcWebCalls Calls() => new(server.SocketPath!, TimeProvider.System);

    private Echo.EchoClient Client() => new(Calls());

    private async Task<string> AskAsync(string method, EchoRequest request, string contentType)
    {
        byte[] message = request.ToByteArray();
        byte[] body = [0, 0, 0, 0, (byte)message.Length, .. message];
        string head = $"POST /overlay.tests.Echo/{method} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + $"Content-Type: {contentType}\r\nContent-Length: {body.Length}\r\n\r\n";
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(server.SocketPath!), Stop);
        await using NetworkStream stream = new(socket);
        await stream.WriteAsync((byte[])[.. Encoding.ASCII.GetBytes(head), .. body], Stop);
        using StreamReader reader = new(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync(Stop).WaitAsync(Patience, Stop);
    }
}

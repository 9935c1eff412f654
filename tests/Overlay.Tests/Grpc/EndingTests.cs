using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Tests.Protos;

namespace Overlay.Tests.Grpc;

/// <summary>Calls that end before their service is done.</summary>
public sealed class EndingTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_deadline_ends_the_call_on_both_sides()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        RpcException late = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client().UnaryAsync(
                new EchoRequest { Behaviour = "wait" }, deadline: DateTime.UtcNow.AddMilliseconds(200),
                cancellationToken: Stop));
        Assert.Equal(StatusCode.DeadlineExceeded, late.StatusCode);
        if (server.Seen.Started.Task.IsCompleted)
        {
            await server.Seen.Cancelled.Task.WaitAsync(Stop);
        }
    }

    [Fact]
    public async Task A_server_that_does_not_answer_a_connection_is_unreachable()
    {
        using TcpListener silent = new(IPAddress.Loopback, 0);
        silent.Start();
        using GrpcChannel channel = GrpcChannel.ForAddress($"https://{silent.LocalEndpoint}", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromMilliseconds(50) },
            DisposeHttpClient = true,
        });
        RpcException failed = await Assert.ThrowsAsync<RpcException>(async () =>
            await new Echo.EchoClient(channel).UnaryAsync(new EchoRequest(), cancellationToken: Stop));
        Assert.Equal(StatusCode.Unavailable, failed.StatusCode);
        Assert.Equal($"The server at {silent.LocalEndpoint} is not reachable: it does not answer.", failed.Status.Detail);
    }

    [Fact]
    public async Task A_deadline_in_the_past_never_reaches_the_server()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        RpcException late = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client().UnaryAsync(
                new EchoRequest(), deadline: DateTime.UtcNow.AddSeconds(-1), cancellationToken: Stop));
        Assert.Equal(StatusCode.DeadlineExceeded, late.StatusCode);
        Assert.Null(server.Seen.Context);
    }

    [Theory]
    [InlineData("wait")]
    [InlineData("deaf")]
    public async Task The_server_answers_a_passed_deadline_by_itself(string behaviour)
    {
        await using EchoServer server = await EchoServer.StartAsync();
        using HttpRequestMessage request = RawCall.Request(
            server, RawCall.Frame(new EchoRequest { Behaviour = behaviour }));
        request.Headers.TryAddWithoutValidation("grpc-timeout", "50m");
        RawCall.Answer answer = await RawCall.SendAsync(server, request);
        Assert.Equal(StatusCode.DeadlineExceeded, answer.Status);
    }

    [Fact]
    public async Task A_cancelled_unary_call_reaches_the_service()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        using CancellationTokenSource cancel = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        using AsyncUnaryCall<EchoReply> call = server.Client().UnaryAsync(
            new EchoRequest { Behaviour = "wait" }, cancellationToken: cancel.Token);
        await server.Seen.Started.Task.WaitAsync(Stop);
        await cancel.CancelAsync();
        RpcException cancelled = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
        Assert.Equal(StatusCode.Cancelled, cancelled.StatusCode);
        await server.Seen.Cancelled.Task.WaitAsync(Stop);
    }

    [Fact]
    public async Task Disposing_a_stream_cancels_the_service_even_under_backpressure()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        var call = server.Client().Repeat(
            new EchoRequest { Text = new string('x', 10_000), Count = uint.MaxValue }, cancellationToken: Stop);
        Assert.True(await call.ResponseStream.MoveNext(Stop));
        call.Dispose();
        await server.Seen.Cancelled.Task.WaitAsync(Stop);
        Assert.Equal(StatusCode.Cancelled, call.GetStatus().StatusCode);
        RpcException over = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Stop));
        Assert.Equal(StatusCode.Cancelled, over.StatusCode);
    }

    [Fact]
    public async Task A_token_that_is_already_cancelled_cancels_the_call()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        RpcException cancelled = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client().UnaryAsync(new EchoRequest(), cancellationToken: new CancellationToken(true)));
        Assert.Equal(StatusCode.Cancelled, cancelled.StatusCode);
    }

    [Fact]
    public async Task Cancellation_throws_as_the_channel_was_told()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        GrpcChannelOptions options = new() { ThrowOperationCanceledOnCancellation = true };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await server.Client(options).UnaryAsync(
                new EchoRequest(), cancellationToken: new CancellationToken(true)));
    }

    [Fact]
    public async Task Disposing_the_channel_ends_its_calls()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        GrpcChannel channel = server.Channel();
        using var call = new Echo.EchoClient(channel).Chat(cancellationToken: Stop);
        Task<bool> read = call.ResponseStream.MoveNext(Stop);
        channel.Dispose();
        RpcException over = await Assert.ThrowsAsync<RpcException>(() => read);
        Assert.Equal(StatusCode.Cancelled, over.StatusCode);
        Assert.Throws<ObjectDisposedException>(() => new Echo.EchoClient(channel).UnaryAsync(
            new EchoRequest(), cancellationToken: Stop));
    }

    [Fact]
    public async Task Nobody_listening_is_unavailable_and_says_why()
    {
        using Socket bound = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using GrpcChannel channel = GrpcChannel.ForAddress($"http://{bound.LocalEndPoint}");
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
            await new Echo.EchoClient(channel).UnaryAsync(new EchoRequest(), cancellationToken: Stop));
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        Assert.Contains("refused", refused.Status.Detail, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task A_server_that_goes_away_makes_its_streams_unavailable_or_cancelled()
    {
        EchoServer server = await EchoServer.StartAsync();
        using var call = server.Client().Repeat(
            new EchoRequest { Count = 1, Behaviour = "wait" }, cancellationToken: Stop);
        Assert.True(await call.ResponseStream.MoveNext(Stop));
        await server.DisposeAsync();
        RpcException gone = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Stop));
        Assert.NotEqual(StatusCode.OK, gone.StatusCode);
    }
}

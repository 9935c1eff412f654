using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Tests.Protos;

namespace Overlay.Tests.Grpc;

public sealed class CallTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task All_four_kinds_echo(bool unixSocket)
    {
        await using EchoServer server = await EchoServer.StartAsync(unixSocket);
        Echo.EchoClient client = server.Client();

        EchoReply reply = await client.UnaryAsync(new EchoRequest { Text = "one" }, cancellationToken: Stop);
        Assert.Equal("one", reply.Text);

        using var collect = client.Collect(cancellationToken: Stop);
        foreach (string text in (string[])["a", "b", "c"])
        {
            await collect.RequestStream.WriteAsync(new EchoRequest { Text = text }, Stop);
        }

        await collect.RequestStream.CompleteAsync();
        Assert.Equal("abc", (await collect).Text);
        Assert.Equal(StatusCode.OK, collect.GetStatus().StatusCode);

        using var repeat = client.Repeat(new EchoRequest { Text = "r", Count = 100 }, cancellationToken: Stop);
        List<uint> indexes = [];
        await foreach (EchoReply item in repeat.ResponseStream.ReadAllAsync(Stop))
        {
            indexes.Add(item.Index);
        }

        Assert.Equal(Enumerable.Range(0, 100).Select(i => (uint)i), indexes);
        Assert.Equal(StatusCode.OK, repeat.GetStatus().StatusCode);

        using var chat = client.Chat(cancellationToken: Stop);
        for (int i = 0; i < 10; i++)
        {
            // The answer arrives while the request is still open: both halves flow.
            await chat.RequestStream.WriteAsync(new EchoRequest { Text = $"ping {i}" }, Stop);
            Assert.True(await chat.ResponseStream.MoveNext(Stop));
            Assert.Equal($"ping {i}", chat.ResponseStream.Current.Text);
        }

        await chat.RequestStream.CompleteAsync();
        Assert.False(await chat.ResponseStream.MoveNext(Stop));
    }

    [Fact]
    public async Task The_blocking_call_of_a_generated_client_works()
    {
        await using EchoServer server = await EchoServer.StartAsync();
#pragma warning disable CA1849, xUnit1051 // The blocking form is what is tested.
        Assert.Equal("sync", server.Client().Unary(new EchoRequest { Text = "sync" }).Text);
#pragma warning restore CA1849, xUnit1051
    }

    [Fact]
    public async Task Empty_and_large_messages_pass()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        Echo.EchoClient client = server.Client();
        Assert.Equal(new EchoReply(), await client.UnaryAsync(new EchoRequest(), cancellationToken: Stop));
        ByteString large = ByteString.CopyFrom(new byte[EchoServer.MaxMessageSize - 100]);
        EchoReply reply = await client.UnaryAsync(new EchoRequest { Payload = large }, cancellationToken: Stop);
        Assert.Equal(large, reply.Payload);
    }

    [Fact]
    public async Task Metadata_goes_there_and_back_and_trailers_follow()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        Metadata headers = new() { { "X-Text", "plain, with comma" }, { "x-raw-bin", [0, 1, 0xFE, 0xFF] } };
        headers.Add("x-raw-bin", []);
        using AsyncUnaryCall<EchoReply> call = server.Client().UnaryAsync(
            new EchoRequest { Behaviour = "headers" }, headers, cancellationToken: Stop);
        Metadata received = await call.ResponseHeadersAsync;
        Assert.Equal("plain, with comma", received.GetValue("x-text"));
        Assert.Equal([[0, 1, 0xFE, 0xFF], []], received.GetAll("x-raw-bin").Select(entry => entry.ValueBytes));
        await call;
        Assert.Equal("word", call.GetTrailers().GetValue("last"));
        Assert.Null(call.GetTrailers().Get("grpc-status"));
    }

    [Fact]
    public async Task A_refusal_carries_status_text_and_details()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        RpcException refusal = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client().UnaryAsync(new EchoRequest { Behaviour = "fail" }, cancellationToken: Stop));
        Assert.Equal(StatusCode.FailedPrecondition, refusal.StatusCode);
        Assert.Equal("größer % als\n1", refusal.Status.Detail);
        Assert.Equal("asked", refusal.Trailers.GetValue("reason"));
        Assert.Equal([1, 2, 0xFF], refusal.Trailers.GetValueBytes("grpc-status-details-bin"));
    }

    [Fact]
    public async Task A_refusal_after_messages_comes_in_the_trailers()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        using var call = server.Client().Repeat(
            new EchoRequest { Count = 2, Behaviour = "fail" }, cancellationToken: Stop);
        Assert.True(await call.ResponseStream.MoveNext(Stop));
        Assert.True(await call.ResponseStream.MoveNext(Stop));
        RpcException refusal = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Stop));
        Assert.Equal(StatusCode.FailedPrecondition, refusal.StatusCode);
        Assert.Equal(StatusCode.FailedPrecondition, call.GetStatus().StatusCode);
        Assert.Equal("asked", call.GetTrailers().GetValue("reason"));
    }

    [Theory]
    [InlineData("throw", StatusCode.Unknown, "Exception was thrown by handler.")]
    [InlineData("status", StatusCode.Aborted, "chosen")]
    public async Task A_service_decides_its_status(string behaviour, StatusCode code, string detail)
    {
        await using EchoServer server = await EchoServer.StartAsync();
        RpcException refusal = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client().UnaryAsync(new EchoRequest { Behaviour = behaviour }, cancellationToken: Stop));
        Assert.Equal(code, refusal.StatusCode);
        Assert.Equal(detail, refusal.Status.Detail);
    }

    [Fact]
    public async Task An_unknown_method_and_an_unknown_service_are_unimplemented()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        GrpcChannel channel = server.Channel();
        RpcException inherited = await Assert.ThrowsAsync<RpcException>(async () =>
            await new Other.OtherClient(channel).NothingAsync(new EchoRequest(), cancellationToken: Stop));
        Assert.Equal(StatusCode.Unimplemented, inherited.StatusCode);
        foreach (string path in (string[])["overlay.tests.Echo/Missing", "no.such.Service/Method"])
        {
            Marshaller<byte[]> bytes = Marshallers.Create<byte[]>(value => value, value => value);
            Method<byte[], byte[]> method = new(
                MethodType.Unary, path.Split('/')[0], path.Split('/')[1], bytes, bytes);
            RpcException missing = await Assert.ThrowsAsync<RpcException>(async () =>
                await channel.CreateCallInvoker().AsyncUnaryCall(
                    method, null, new CallOptions(cancellationToken: Stop), []));
            Assert.Equal(StatusCode.Unimplemented, missing.StatusCode);
            Assert.Contains("unimplemented", missing.Status.Detail, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Both_sides_keep_their_message_limits()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        ByteString large = ByteString.CopyFrom(new byte[EchoServer.MaxMessageSize + 1]);
        RpcException atServer = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client().UnaryAsync(new EchoRequest { Payload = large }, cancellationToken: Stop));
        Assert.Equal(StatusCode.ResourceExhausted, atServer.StatusCode);

        ByteString small = ByteString.CopyFrom(new byte[1000]);
        RpcException sending = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client(new GrpcChannelOptions { MaxSendMessageSize = 100 })
                .UnaryAsync(new EchoRequest { Payload = small }, cancellationToken: Stop));
        Assert.Equal(StatusCode.ResourceExhausted, sending.StatusCode);
        RpcException receiving = await Assert.ThrowsAsync<RpcException>(async () =>
            await server.Client(new GrpcChannelOptions { MaxReceiveMessageSize = 100 })
                .UnaryAsync(new EchoRequest { Payload = small }, cancellationToken: Stop));
        Assert.Equal(StatusCode.ResourceExhausted, receiving.StatusCode);
    }

    [Fact]
    public async Task The_context_tells_of_the_call()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        DateTime deadline = DateTime.UtcNow.AddMinutes(5);
        using AsyncUnaryCall<EchoReply> call = server.Client().UnaryAsync(
            new EchoRequest { Behaviour = "wait" }, deadline: deadline, cancellationToken: Stop);
        await server.Seen.Started.Task.WaitAsync(Stop);
        ServerCallContext context = server.Seen.Context!;
        Assert.Equal("/overlay.tests.Echo/Unary", context.Method);
        Assert.InRange(context.Deadline, deadline.AddMinutes(-1), deadline.AddMinutes(1));
        Assert.StartsWith("ipv4:127.0.0.1:", context.Peer, StringComparison.Ordinal);
        Assert.Equal(server.Address.Authority, context.Host);
        Assert.False(context.AuthContext.IsPeerAuthenticated);
        Assert.NotNull(context.GetHttpContext());
    }

    [Fact]
    public async Task A_client_of_a_unix_socket_is_named_by_it()
    {
        await using EchoServer server = await EchoServer.StartAsync(unixSocket: true);
        using AsyncUnaryCall<EchoReply> call = server.Client().UnaryAsync(
            new EchoRequest { Behaviour = "wait" }, cancellationToken: Stop);
        await server.Seen.Started.Task.WaitAsync(Stop);
        Assert.StartsWith("unix:/", server.Seen.Context!.Peer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_write_and_one_read_at_a_time_and_none_after_completion()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        using var chat = server.Client().Chat(cancellationToken: Stop);
        Task<bool> first = chat.ResponseStream.MoveNext(Stop);
        await Assert.ThrowsAsync<InvalidOperationException>(() => chat.ResponseStream.MoveNext(Stop));
        await chat.RequestStream.WriteAsync(new EchoRequest { Text = "x" }, Stop);
        Assert.True(await first);
        await chat.RequestStream.CompleteAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() =>
            chat.RequestStream.WriteAsync(new EchoRequest(), Stop));
        Assert.Throws<InvalidOperationException>(() => chat.GetStatus());
        Assert.False(await chat.ResponseStream.MoveNext(Stop));
    }

    [Fact]
    public async Task A_refused_stream_tells_its_writer_why()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        using var chat = server.Client().Chat(cancellationToken: Stop);
        await chat.RequestStream.WriteAsync(new EchoRequest { Behaviour = "fail" }, Stop);
        RpcException read = await Assert.ThrowsAsync<RpcException>(() => chat.ResponseStream.MoveNext(Stop));
        Assert.Equal(StatusCode.FailedPrecondition, read.StatusCode);
        RpcException written = await Assert.ThrowsAsync<RpcException>(() =>
            chat.RequestStream.WriteAsync(new EchoRequest(), Stop));
        Assert.Equal(StatusCode.FailedPrecondition, written.StatusCode);
    }
}

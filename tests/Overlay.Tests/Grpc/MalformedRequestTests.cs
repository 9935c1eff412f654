using System.Net;
using Grpc.Core;
using Overlay.Primitives;
using Overlay.Tests.Protos;

namespace Overlay.Tests.Grpc;

public sealed class MalformedRequestTests
{
    private static readonly EchoRequest s_request = new() { Text = "hello", Count = 1 };

    public static TheoryData<string, byte[], StatusCode> Bodies => new()
    {
        { "Unary", [], StatusCode.Unimplemented },
        { "Unary", [0, 0], StatusCode.Internal },
        { "Unary", RawCall.Frame([1, 2, 3], length: 10), StatusCode.Internal },
        { "Unary", RawCall.Frame([], length: uint.MaxValue), StatusCode.ResourceExhausted },
        { "Unary", RawCall.Frame([], length: EchoServer.MaxMessageSize + 1), StatusCode.ResourceExhausted },
        { "Unary", RawCall.Frame([0xFF, 0xFF, 0xFF]), StatusCode.Internal },
        { "Unary", RawCall.Frame(s_request, flag: 1), StatusCode.Internal },
        { "Unary", RawCall.Frame(s_request, flag: 7), StatusCode.Internal },
        { "Unary", [.. RawCall.Frame(s_request), .. RawCall.Frame(s_request)], StatusCode.Unimplemented },
        { "Repeat", [.. RawCall.Frame(s_request), 0], StatusCode.Internal },
        { "Collect", [.. RawCall.Frame(s_request), 0, 0, 0, 0, 9, 1], StatusCode.Internal },
        { "Chat", [.. RawCall.Frame(s_request), .. RawCall.Frame(s_request, flag: 1)], StatusCode.Internal },
        { "Collect", [], StatusCode.OK },
        { "Chat", RawCall.Frame(s_request), StatusCode.OK },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task A_body_gets_its_status_and_the_server_goes_on(string method, byte[] body, StatusCode expected)
    {
        await using EchoServer server = await EchoServer.StartAsync();
        using HttpRequestMessage request = RawCall.Request(server, body, method);
        RawCall.Answer answer = await RawCall.SendAsync(server, request);
        Assert.Equal(HttpStatusCode.OK, answer.HttpStatus);
        Assert.Equal(expected, answer.Status);

        EchoReply reply = await server.Client().UnaryAsync(
            s_request, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal("hello", reply.Text);
    }

    [Fact]
    public async Task Mutations_of_a_call_are_answered_and_never_break_the_server()
    {
        await using EchoServer server = await EchoServer.StartAsync();
        Prng prng = new(0x67727063);
        byte[] valid = [.. RawCall.Frame(s_request), .. RawCall.Frame(s_request)];
        for (int round = 0; round < 200; round++)
        {
            byte[] body = [.. valid[..prng.Next(valid.Length + 1)]];
            for (int flips = prng.Next(4); flips > 0 && body.Length > 0; flips--)
            {
                body[prng.Next(body.Length)] = (byte)prng.Next(256);
            }

            string method = ((string[])["Unary", "Collect", "Chat"])[prng.Next(3)];
            using HttpRequestMessage request = RawCall.Request(server, body, method);
            RawCall.Answer answer = await RawCall.SendAsync(server, request);
            Assert.NotNull(answer.Status);
            Assert.NotEqual(StatusCode.Unknown, answer.Status);
        }
    }

    [Theory]
    [InlineData("application/json", HttpStatusCode.UnsupportedMediaType, null)]
    [InlineData("application/grpcish", HttpStatusCode.UnsupportedMediaType, null)]
    [InlineData("application/grpc+proto", HttpStatusCode.OK, StatusCode.OK)]
    [InlineData("application/grpc;x=y", HttpStatusCode.OK, StatusCode.OK)]
    public async Task The_content_type_decides(string contentType, HttpStatusCode http, StatusCode? status)
    {
        await using EchoServer server = await EchoServer.StartAsync();
        using HttpRequestMessage request = RawCall.Request(
            server, RawCall.Frame(s_request), contentType: contentType);
        RawCall.Answer answer = await RawCall.SendAsync(server, request);
        Assert.Equal(http, answer.HttpStatus);
        Assert.Equal(status, answer.Status);
    }

    [Theory]
    [InlineData("grpc-encoding", "gzip", StatusCode.Unimplemented)]
    [InlineData("grpc-encoding", "identity", StatusCode.OK)]
    [InlineData("grpc-timeout", "soon", StatusCode.Internal)]
    [InlineData("grpc-timeout", "123456789S", StatusCode.Internal)]
    [InlineData("grpc-timeout", "99999999H", StatusCode.OK)]
    [InlineData("x-broken-bin", "!!!", StatusCode.OK)]
    public async Task A_header_is_judged(string name, string value, StatusCode expected)
    {
        await using EchoServer server = await EchoServer.StartAsync();
        using HttpRequestMessage request = RawCall.Request(server, RawCall.Frame(s_request));
        request.Headers.TryAddWithoutValidation(name, value);
        RawCall.Answer answer = await RawCall.SendAsync(server, request);
        Assert.Equal(expected, answer.Status);
    }
}

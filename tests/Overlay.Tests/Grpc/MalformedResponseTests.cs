using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Tests.Protos;

namespace Overlay.Tests.Grpc;

/// <summary>What a client makes of answers that no sane server gives.</summary>
public sealed class MalformedResponseTests
{
    private static readonly byte[] s_reply = RawCall.Frame(new EchoReply { Text = "hello" });

    public static TheoryData<byte[], string?, StatusCode> Answers => new()
    {
        { s_reply, "0", StatusCode.OK },
        { s_reply, null, StatusCode.Unknown },
        { s_reply, "99", StatusCode.Unknown },
        { s_reply, "x", StatusCode.Unknown },
        { s_reply, "5", StatusCode.NotFound },
        { [], "0", StatusCode.Unimplemented },
        { [.. s_reply, .. s_reply], "0", StatusCode.Unimplemented },
        { [.. s_reply, 0], "0", StatusCode.Internal },
        { s_reply[..^1], "0", StatusCode.Internal },
        { RawCall.Frame([0xFF]), "0", StatusCode.Internal },
        { RawCall.Frame(new EchoReply(), flag: 1), "0", StatusCode.Internal },
        { RawCall.Frame([], length: uint.MaxValue), "0", StatusCode.ResourceExhausted },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public Task A_body_becomes_a_status(byte[] body, string? status, StatusCode expected) =>
        ExpectAsync(expected, () => Answer(body, status));

    [Theory]
    [InlineData(HttpStatusCode.BadRequest, StatusCode.Internal)]
    [InlineData(HttpStatusCode.Unauthorized, StatusCode.Unauthenticated)]
    [InlineData(HttpStatusCode.Forbidden, StatusCode.PermissionDenied)]
    [InlineData(HttpStatusCode.NotFound, StatusCode.Unimplemented)]
    [InlineData(HttpStatusCode.TooManyRequests, StatusCode.Unavailable)]
    [InlineData(HttpStatusCode.BadGateway, StatusCode.Unavailable)]
    [InlineData(HttpStatusCode.ServiceUnavailable, StatusCode.Unavailable)]
    [InlineData(HttpStatusCode.GatewayTimeout, StatusCode.Unavailable)]
    [InlineData(HttpStatusCode.InternalServerError, StatusCode.Unknown)]
    public Task An_http_status_becomes_a_status(HttpStatusCode http, StatusCode expected) =>
        ExpectAsync(expected, () => new HttpResponseMessage(http));

    [Fact]
    public Task A_web_page_is_no_answer() => ExpectAsync(StatusCode.Unknown, () => new HttpResponseMessage
    {
        Content = new StringContent("<html>", new MediaTypeHeaderValue("text/html")),
    });

    [Fact]
    public Task An_encoding_that_was_not_asked_for_is_refused() => ExpectAsync(StatusCode.Internal, () =>
    {
        HttpResponseMessage answer = Answer(s_reply, "0");
        answer.Headers.TryAddWithoutValidation("grpc-encoding", "gzip");
        return answer;
    });

    private static HttpResponseMessage Answer(byte[] body, string? status)
    {
        HttpResponseMessage answer = new() { Content = new ByteArrayContent(body), Version = HttpVersion.Version20 };
        answer.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        if (status is not null)
        {
            answer.TrailingHeaders.TryAddWithoutValidation("grpc-status", status);
        }

        return answer;
    }

    private static async Task ExpectAsync(StatusCode expected, Func<HttpResponseMessage> answer)
    {
        using GrpcChannel channel = GrpcChannel.ForAddress(
            "http://localhost",
            new GrpcChannelOptions { HttpHandler = new CannedHandler(answer), DisposeHttpClient = true });
        using AsyncUnaryCall<EchoReply> call = new Echo.EchoClient(channel).UnaryAsync(
            new EchoRequest(), cancellationToken: TestContext.Current.CancellationToken);
        if (expected == StatusCode.OK)
        {
            Assert.Equal("hello", (await call).Text);
        }
        else
        {
            RpcException refusal = await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync);
            Assert.Equal(expected, refusal.StatusCode);
        }

        Assert.Equal(expected, call.GetStatus().StatusCode);
    }

    private sealed class CannedHandler(Func<HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(
            HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(answer());
    }
}

using System.Text;
using Grpc.Core;
using Overlay.Daemon.Cli;
using Overlay.Primitives;

namespace Overlay.Tests.Daemon.Cli;

public sealed class GrpcWebAnswerTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc-web+proto\r\n";
    private const string Message = "\0\0\0\0\u0003abc";
    private const string Trailers = "\u0080\0\0\0\u000fgrpc-status: 0\r\n";

    private static readonly string Plain = $"{Ok}\r\n{Message}{Trailers.Replace('\u000f', (char)16)}";

    [Fact]
    public void A_message_and_its_trailers()
    {
        GrpcWebAnswer answer = Read(Plain);
        Assert.Equal(Status.DefaultSuccess, answer.Status);
        Assert.Equal("abc"u8.ToArray(), answer.Message);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1000)]
    public void In_chunks_of_any_size(int size)
    {
        string body = Plain[(Plain.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        string chunks = string.Concat(body.Chunk(size).Select(c => $"{c.Length:x}\r\n{new string(c)}\r\n"));
        GrpcWebAnswer answer = Read($"{Ok}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
        Assert.Equal("abc"u8.ToArray(), answer.Message);
    }

    [Fact]
    public void A_refusal_in_the_headers_with_its_text_and_details()
    {
        GrpcWebAnswer answer = Read(
            $"{Ok}grpc-status: 5\r\ngrpc-message: No caf%C3%A9 100%25\r\ndetails-bin: AQI\r\nhint: x\r\nContent-Length: 0\r\n\r\n");
        Assert.Equal(new Status(StatusCode.NotFound, "No café 100%"), answer.Status);
        Assert.Null(answer.Message);
        Assert.Equal([1, 2], answer.Trailers.GetValueBytes("details-bin"));
        Assert.Equal("x", answer.Trailers.GetValue("hint"));
    }

    [Theory]
    [InlineData("HTTP/1.1 404 Not Found\r\n\r\n", StatusCode.Unimplemented)]
    [InlineData("HTTP/1.1 503 Busy\r\n\r\n", StatusCode.Unavailable)]
    [InlineData("HTTP/1.1 418 Teapot\r\n\r\n", StatusCode.Unknown)]
    [InlineData("HTTP/1.1 200 OK\r\ngrpc-status: 99\r\n\r\n", StatusCode.Unknown)]
    public void What_is_no_answer_of_grpc_has_a_status_too(string response, StatusCode expected) =>
        Assert.Equal(expected, Read(response).Status.StatusCode);

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n")]
    [InlineData("SSH-2.0-OpenSSH\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\0\0")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\nabc")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n\u0001\0\0\0\0")]
    [InlineData("HTTP/1.1 200 OK\r\n\r\n\0\u00ff\u00ff\u00ff\u00ff")]
    public void What_breaks_off_or_is_something_else_is_no_answer(string response) =>
        Assert.False(GrpcWebAnswer.TryRead(Encoding.Latin1.GetBytes(response), out _));

    [Fact]
    public void Every_beginning_of_an_answer_is_none()
    {
        byte[] whole = Encoding.Latin1.GetBytes(Plain);
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.False(GrpcWebAnswer.TryRead(whole.AsSpan(0, length), out _), $"{length} bytes");
        }
    }

    [Fact]
    public void Garbage_never_breaks_the_reader()
    {
        Prng prng = new(7);
        byte[] whole = Encoding.Latin1.GetBytes(Plain.Replace("\r\n\r\n", "\r\nx-bin: AQI\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"));
        for (int round = 0; round < 20_000; round++)
        {
            byte[] changed = [.. whole];
            for (int i = prng.Next(4); i >= 0; i--)
            {
                changed[prng.Next(changed.Length)] = (byte)prng.Next(256);
            }

            GrpcWebAnswer.TryRead(changed, out _);
        }
    }

    private static GrpcWebAnswer Read(string response)
    {
        Assert.True(GrpcWebAnswer.TryRead(Encoding.Latin1.GetBytes(response), out GrpcWebAnswer answer));
        return answer;
    }
}

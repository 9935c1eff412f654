using System.Text;
using Overlay.Daemon.Checks;
using Overlay.Primitives;

namespace Overlay.Tests.Daemon.Checks;

/// <summary>The status of an answer, from bytes that anybody may send.</summary>
public sealed class HttpAnswerTests
{
    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\n", 200)]
    [InlineData("HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n", 404)]
    [InlineData("HTTP/1.1 301\r\n", 301)]
    [InlineData("HTTP/1.1 500 \n", 500)]
    [InlineData("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 None\r\n", 204)]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 503 Busy\r\n", 503)]
    [InlineData("HTTP/1.1 101 Switching Protocols\r\n", 101)]
    public void A_status_is_read_once_its_line_is_there_and_not_before(string answer, int status)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(answer);
        int end = answer.LastIndexOf("HTTP", StringComparison.Ordinal);
        end = answer.IndexOf('\n', end) + 1;
        for (int length = 0; length < end; length++)
        {
            Assert.False(HttpAnswer.TryReadStatus(bytes.AsSpan(0, length), out _));
        }

        Assert.True(HttpAnswer.TryReadStatus(bytes, out int read));
        Assert.Equal(status, read);
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH\r\n")]
    [InlineData("HTTP/2 200 OK\r\n")]
    [InlineData("HTTP/1.1\r\n")]
    [InlineData("HTTP/1.1 20\r\n")]
    [InlineData("HTTP/1.1 abc OK\r\n")]
    [InlineData("HTTP/1.1 099 No\r\n")]
    [InlineData("HTTP/1.1 -10 No\r\n")]
    [InlineData("HTTP/1.1 +20 No\r\n")]
    [InlineData("HTTP/1.1-200 OK\r\n")]
    [InlineData("\0")]
    [InlineData("HTTP/1.1 100 Continue\r\n\r\nnot HTTP\r\n")]
    public void What_is_no_answer_is_said_to_be_none(string answer) => Assert.Equal(
        "the answer is not HTTP/1.1",
        Assert.Throws<ProbeFault>(() => HttpAnswer.TryReadStatus(Encoding.ASCII.GetBytes(answer), out _)).Message);

    [Fact]
    public void No_bytes_lead_to_anything_else()
    {
        byte[] good = Encoding.ASCII.GetBytes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n");
        Prng prng = new(11);
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. good.Take(prng.Next(good.Length + 1))];
            for (int change = prng.Next(4); change > 0 && bytes.Length > 0; change--)
            {
                bytes[prng.Next(bytes.Length)] = (byte)prng.Next(256);
            }

            try
            {
                if (HttpAnswer.TryReadStatus(bytes, out int status))
                {
                    Assert.InRange(status, 101, 999);
                }
            }
            catch (ProbeFault)
            {
                // One of the two ends there are.
            }
        }
    }
}

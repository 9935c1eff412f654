using System.Buffers.Text;

namespace Overlay.Daemon.Checks;

/// <summary>The status line at the beginning of an HTTP/1.x answer (RFC 9112, section 4), behind interim ones.</summary>
internal static class HttpAnswer
{
    private const int StatusAt = 9; // "HTTP/1.1 "
    private const int StatusDigits = 3;

    /// <returns>False: more octets are needed.</returns>
    /// <exception cref="ProbeFault">It is something else.</exception>
    public static bool TryReadStatus(ReadOnlySpan<byte> answer, out int status)
    {
        while (true)
        {
            status = 0;
            if (!answer[..Math.Min(answer.Length, 7)].SequenceEqual("HTTP/1."u8[..Math.Min(answer.Length, 7)]))
            {
                throw new ProbeFault("the answer is not HTTP/1.1");
            }

            int end = answer.IndexOf((byte)'\n');
            if (end < 0)
            {
                return false;
            }

            if (end < StatusAt + StatusDigits || answer[StatusAt - 1] != (byte)' '
                || !Utf8Parser.TryParse(answer.Slice(StatusAt, StatusDigits), out status, out int used) || used != StatusDigits || status < 100)
            {
                throw new ProbeFault("the answer is not HTTP/1.1");
            }

            if (status >= 200 || status == 101)
            {
                return true;
            }

            // An interim one: the answer comes behind the empty line.
            int blank = answer.IndexOf("\r\n\r\n"u8);
            if (blank < 0)
            {
                return false;
            }

            answer = answer[(blank + 4)..];
        }
    }
}

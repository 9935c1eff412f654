using System.Text;

namespace Overlay.Daemon.Telemetry.Logging;

/// <summary>
/// The last line of defence for logs: join tokens and unlock keys lose their secret, wherever they appear, and control
/// characters from outside can not forge a line.
/// </summary>
internal static class Redaction
{
    private const string Hidden = "[redacted]";
    private static readonly string[] Prefixes = ["OVTKN-", "OVKEY-"];

    public static string Clean(string text)
    {
        string clean = text;
        foreach (string prefix in Prefixes)
        {
            clean = Hide(clean, prefix);
        }

        return clean.AsSpan().ContainsAnyInRange('\0', '\x1F') || clean.Contains('\x7F') ? Escape(clean) : clean;
    }

    /// <summary>Leaves the prefix, so that one sees what it was.</summary>
    private static string Hide(string text, string prefix)
    {
        int at = text.IndexOf(prefix, StringComparison.Ordinal);
        if (at < 0)
        {
            return text;
        }

        StringBuilder clean = new(text.Length);
        int done = 0;
        while (at >= 0)
        {
            int end = at + prefix.Length;
            clean.Append(text, done, end - done).Append(Hidden);
            while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] is '-' or '_' or '+' or '='))
            {
                end++;
            }

            done = end;
            at = text.IndexOf(prefix, done, StringComparison.Ordinal);
        }

        return clean.Append(text, done, text.Length - done).ToString();
    }

    private static string Escape(string text)
    {
        StringBuilder clean = new(text.Length + 16);
        foreach (char c in text)
        {
            _ = c switch
            {
                '\n' => clean.Append("\\n"),
                '\r' => clean.Append("\\r"),
                '\t' => clean.Append(' '),
                < ' ' or '\x7F' => clean.Append('\\').Append('x').Append(((int)c).ToString("x2", null)),
                _ => clean.Append(c),
            };
        }

        return clean.ToString();
    }
}

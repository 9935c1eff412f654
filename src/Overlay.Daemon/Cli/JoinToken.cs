using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Where the join token comes from: the flag, a file, standard input or the environment, so that the secret need not be
/// among the arguments, which every user of the host can read.
/// </summary>
internal static class JoinToken
{
    private const int Longest = 1024;
    private const string What = "cannot join the cluster";

    public static string Read(Terminal terminal, string? given, string? file)
    {
        if (given is not null && file is not null)
        {
            throw new FailureException(
                What, "both --token and --token-file are given", "Use one of them", ExitCode.Usage);
        }

        string? token = (given, file) switch
        {
            ("-", _) => FirstLine(terminal.In),
            (not null, _) => given,
            (_, not null) => FromFile(file),
            _ => terminal.Environment("OVERLAYD_JOIN_TOKEN"),
        };
        token = token?.Trim();
        if (string.IsNullOrEmpty(token))
        {
            throw new FailureException(
                What, "no token is given",
                "Use --token; `overlayd token show worker` on a manager prints it", ExitCode.Usage);
        }

        if (token.Length > Longest || token.Any(static c => char.IsWhiteSpace(c) || char.IsControl(c)))
        {
            throw new FailureException(
                What, "the token is not one line of text that begins with OVTKN-",
                "Copy it from `overlayd token show worker` on a manager", ExitCode.Usage);
        }

        return token;
    }

    private static string? FromFile(string path)
    {
        try
        {
            using StreamReader reader = new(path);
            return FirstLine(reader);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new FailureException(
                new Failure(What, $"the token file {path} cannot be read", "Check --token-file", ExitCode.Usage),
                error);
        }
    }

    private static string FirstLine(TextReader reader)
    {
        char[] buffer = new char[Longest + 1];
        int length = reader.ReadBlock(buffer);
        string text = new string(buffer, 0, length).TrimStart();
        int end = text.IndexOf('\n', StringComparison.Ordinal);
        return end < 0 ? text : text[..end];
    }
}

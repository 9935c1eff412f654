using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Where the join token comes from: the flag, a file, standard input or the environment, so that the secret need not be
/// among the arguments, which every user of the host can read.
/// </summary>
internal static class JoinToken
{
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
            ("-", _) => SecretText.FirstLine(terminal.In),
            (not null, _) => given,
            (_, not null) => SecretText.FromFile(What, $"the token file {file} cannot be read", "Check --token-file", file),
            _ => terminal.Environment("OVERLAYD_JOIN_TOKEN"),
        };
        token = token?.Trim();
        if (string.IsNullOrEmpty(token))
        {
            throw new FailureException(
                What, "no token is given",
                "Use --token; `overlayd token show worker` on a manager prints it", ExitCode.Usage);
        }

        if (token.Length > SecretText.Longest || token.Any(static c => char.IsWhiteSpace(c) || char.IsControl(c)))
        {
            throw new FailureException(
                What, "the token is not one line of text that begins with OVTKN-",
                "Copy it from `overlayd token show worker` on a manager", ExitCode.Usage);
        }

        return token;
    }
}

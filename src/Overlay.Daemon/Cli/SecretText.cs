using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Where a secret comes from: a file, standard input, or the terminal without an echo; never the arguments, which every user
/// of the host can read.
/// </summary>
internal static class SecretText
{
    /// <summary>In characters.</summary>
    public const int Longest = 1024;

    /// <param name="what">What fails without it.</param>
    /// <param name="name">What it is called: "unlock key".</param>
    /// <param name="file">Null: standard input, or whoever sits at the terminal.</param>
    public static string Read(Terminal terminal, string what, string name, string? file)
    {
        string? text = file is not null ? FromFile(what, $"the file {file} with the {name} cannot be read", "Check --key-file", file)
            : terminal.AskSecret is { } ask ? ask($"{char.ToUpperInvariant(name[0])}{name[1..]}: ")
            : FirstLine(terminal.In);
        text = text?.Trim();
        return string.IsNullOrEmpty(text)
            ? throw new FailureException(
                what, $"no {name} is given", "Type it at the prompt, pipe it in, or name a file that holds it with --key-file", ExitCode.Usage)
            : text.Length > Longest || text.Any(static c => char.IsWhiteSpace(c) || char.IsControl(c))
                ? throw new FailureException(what, $"the {name} is not one line of text", "Copy the whole key, and nothing else", ExitCode.Usage)
                : text;
    }

    /// <param name="why">What is told, and <paramref name="next"/> behind it, where the file cannot be read.</param>
    public static string FromFile(string what, string why, string next, string path)
    {
        try
        {
            using StreamReader reader = new(path);
            return FirstLine(reader);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new FailureException(new Failure(what, why, next, ExitCode.Usage), error);
        }
    }

    /// <summary>At most a little more than any secret has, so that no file or pipe fills the memory.</summary>
    public static string FirstLine(TextReader reader)
    {
        char[] buffer = new char[Longest + 1];
        int length = reader.ReadBlock(buffer);
        string text = new string(buffer, 0, length).TrimStart();
        int end = text.IndexOf('\n', StringComparison.Ordinal);
        return end < 0 ? text : text[..end];
    }
}

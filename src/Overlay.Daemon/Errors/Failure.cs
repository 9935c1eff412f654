namespace Overlay.Daemon.Errors;

/// <summary>
/// A failure as a person is told of it: what failed, why, and what to type next (or nothing). Each part may be a clause
/// ("cannot create network blue") or a sentence ("Network blue was not created."); <see cref="Sentence"/> makes one
/// line.
/// </summary>
internal sealed record Failure(string What, string Why, string Next, int ExitCode)
{
    /// <summary>One line: <c>what: why. Next.</c></summary>
    public string Sentence
    {
        get
        {
            string what = Clause(What);
            string why = Clause(Why);
            string reason = Ended(why.Length == 0 ? what : $"{what}: {why}");
            string next = Line(Next);
            return next.Length == 0 ? reason : $"{reason} {Ended(Capitalised(next))}";
        }
    }

    private static string Clause(string text)
    {
        string line = Line(text).TrimEnd('.', ' ');

        // "The name is taken", but not "VNI 7 is taken".
        bool capital = line.Length > 1 && char.IsAsciiLetterUpper(line[0])
            && (char.IsAsciiLetterLower(line[1]) || line[1] == ' ');
        return capital ? string.Concat([char.ToLowerInvariant(line[0])], line.AsSpan(1)) : line;
    }

    private static string Ended(string sentence) =>
        sentence.Length > 0 && sentence[^1] is '.' or '?' ? sentence : sentence + ".";

    private static string Capitalised(string sentence) =>
        char.IsAsciiLetterLower(sentence[0])
            ? string.Concat([char.ToUpperInvariant(sentence[0])], sentence.AsSpan(1))
            : sentence;

    /// <summary>Control characters would let a remote text forge lines or drive the terminal.</summary>
    private static string Line(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(static c => char.IsControl(c) ? ' ' : c)) : text;
}

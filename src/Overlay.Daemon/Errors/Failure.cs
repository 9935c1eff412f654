namespace Overlay.Daemon.Errors;

/// <summary>
/// A failure as a person is told of it. <see cref="What"/> and <see cref="Why"/> are clauses in lower case without a full
/// stop ("cannot create network blue", "a network of that name exists"); <see cref="Next"/> is a sentence that says what to
/// type, or empty.
/// </summary>
internal sealed record Failure(string What, string Why, string Next, int ExitCode)
{
    /// <summary>One line: <c>what: why. Next.</c></summary>
    public string Sentence
    {
        get
        {
            string reason = Why.Length == 0 ? Line(What) : $"{Line(What)}: {Line(Why)}";
            string ended = reason.EndsWith('.') ? reason : reason + ".";
            return Next.Length == 0 ? ended : $"{ended} {Ended(Capitalised(Line(Next)))}";
        }
    }

    private static string Ended(string sentence) => sentence[^1] is '.' or '?' or '`' ? sentence : sentence + ".";

    private static string Capitalised(string sentence) =>
        sentence.Length > 0 && char.IsAsciiLetterLower(sentence[0])
            ? string.Concat([char.ToUpperInvariant(sentence[0])], sentence.AsSpan(1))
            : sentence;

    /// <summary>Control characters would let a remote text forge lines or drive the terminal.</summary>
    private static string Line(string text) =>
        text.Any(char.IsControl) ? string.Concat(text.Select(static c => char.IsControl(c) ? ' ' : c)) : text;
}

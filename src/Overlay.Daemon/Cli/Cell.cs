namespace Overlay.Daemon.Cli;

/// <summary>One cell of a table, ready to print.</summary>
internal readonly record struct Cell(string Text, bool IsState)
{
    private const int Widest = 48;

    /// <summary>One line of printable text ("-" when empty), shortened unless <paramref name="whole"/>.</summary>
    public static Cell Of(string text, bool isState, bool whole)
    {
        string line = text.Length == 0 ? "-" : string.Concat(text.Select(static c => char.IsControl(c) ? ' ' : c));
        return new(whole || line.Length <= Widest ? line : string.Concat(line.AsSpan(0, Widest - 1), "…"), isState);
    }
}

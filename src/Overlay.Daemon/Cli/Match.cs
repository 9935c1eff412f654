namespace Overlay.Daemon.Cli;

/// <summary>The comparisons of --filter.</summary>
internal static class Match
{
    /// <summary>Names match when they contain the value, as with docker.</summary>
    public static bool Name(string name, string value) => name.Contains(value, StringComparison.Ordinal);

    public static bool Id(string id, string value) => id.StartsWith(value, StringComparison.Ordinal);

    public static bool Word(string word, string value) =>
        string.Equals(word, value, StringComparison.OrdinalIgnoreCase);

    /// <summary><c>key</c> matches any value of that key, <c>key=value</c> that value.</summary>
    public static bool Label(IDictionary<string, string> labels, string value)
    {
        string[] parts = value.Split('=', 2);
        return labels.TryGetValue(parts[0], out string? found) && (parts.Length == 1 || found == parts[1]);
    }
}

namespace Overlay.Cluster;

/// <summary>An expected failure, in words an operator can act on. Each part is one sentence.</summary>
/// <param name="What">What failed.</param>
/// <param name="Why">The reason, with the names and numbers that decide it.</param>
/// <param name="Next">What to do or type next.</param>
public sealed record Refusal(RefusalKind Kind, string What, string Why, string Next)
{
    private const int MaxQuoted = 80;

    /// <summary>Foreign text made safe to show: bounded, without control characters, in quotes.</summary>
    public static string Quote(string? text)
    {
        text ??= "";
        bool cut = text.Length > MaxQuoted;
        string shown = cut ? text[..MaxQuoted] : text;
        string safe = string.Create(shown.Length, shown, static (to, from) =>
        {
            for (int i = 0; i < from.Length; i++)
            {
                to[i] = char.IsControl(from[i]) || char.IsSurrogate(from[i]) ? '?' : from[i];
            }
        });
        return cut ? $"'{safe}…'" : $"'{safe}'";
    }

    public override string ToString() => $"{What} {Why} {Next}";
}

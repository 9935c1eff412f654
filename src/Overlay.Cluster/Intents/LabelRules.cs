namespace Overlay.Cluster.Intents;

/// <summary>Labels are the operator's own words, bounded.</summary>
internal static class LabelRules
{
    public static Refusal? Fault(IEnumerable<KeyValuePair<string, string>> labels, string what)
    {
        SortedSet<string> seen = new(StringComparer.Ordinal);
        foreach ((string key, string value) in labels)
        {
            string? why =
                key.Length is 0 or > Limits.LabelKeyCharacters || key.Any(c => char.IsControl(c) || c is '=' or ' ')
                    ? $"{Refusal.Quote(key)} is not a label's key, which has 1 to {Limits.LabelKeyCharacters} "
                        + "characters, no space and no '='."
                : value.Length > Limits.LabelValueCharacters || value.Any(char.IsControl)
                    ? $"The value of label {Refusal.Quote(key)} is longer than {Limits.LabelValueCharacters} "
                        + "characters or not plain text."
                : !seen.Add(key) ? $"The label {Refusal.Quote(key)} is given twice."
                : seen.Count > Limits.Labels ? $"There are more than {Limits.Labels} labels."
                : null;
            if (why is not null)
            {
                return new(RefusalKind.Invalid, what, why, "Write labels as `--label key=value`.");
            }
        }

        return null;
    }
}

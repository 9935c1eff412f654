using System.Collections.Immutable;

namespace Overlay.Cluster.Intents;

/// <summary>Labels are the operator's own words, bounded.</summary>
internal static class LabelRules
{
    /// <summary>Takes labels away and adds others, in place; null: done.</summary>
    /// <param name="labels">Of a copy: after a refusal it is worth nothing.</param>
    /// <param name="show">The command that shows them.</param>
    public static Refusal? Edit(
        IDictionary<string, string> labels, ImmutableSortedDictionary<string, string> added, ImmutableSortedSet<string> removed, string what,
        string show)
    {
        if (removed.FirstOrDefault(added.ContainsKey) is { } both)
        {
            return new(
                RefusalKind.Invalid, what, $"The label {Refusal.Quote(both)} is to be added and removed.", "Give it once.");
        }

        foreach (string gone in removed)
        {
            if (!labels.Remove(gone))
            {
                return new(RefusalKind.NotFound, what, $"It has no label {Refusal.Quote(gone)}.", $"See its labels with `{show}`.");
            }
        }

        foreach ((string key, string value) in added)
        {
            labels[key] = value;
        }

        return Fault(labels.OrderBy(static l => l.Key, StringComparer.Ordinal), what) is { } unfit
            ? unfit with { Next = "Write labels as `--label-add key=value`." }
            : null;
    }

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

using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Overlay.Dataplane;

/// <summary>
/// The table <c>inet overlayd</c> as text: chains alone, in the order of their names, whatever order they came about in; and
/// the shortest commands from one such table to another, so that one service among thousands costs what one costs.
/// </summary>
public static class NftTableText
{
    private const string Name = "inet overlayd";
    private const string Head = $"table {Name} {{\n";
    private const string ChainHead = "\tchain ";
    private const string ChainTail = "\t}\n";

    /// <summary>With its chains in order; a text that holds anything but chains stays as it is.</summary>
    public static string Sorted(string table) => TryParse(table, out SortedDictionary<string, string>? chains)
        ? $"{Head}{string.Join('\n', chains.Select(static c => $"{ChainHead}{c.Key} {{\n{c.Value}{ChainTail}"))}}}\n"
        : table;

    /// <summary>
    /// Commands for nft(8), to be run as one transaction: <paramref name="after"/> instead of <paramref name="before"/>.
    /// </summary>
    /// <param name="before">What is there; null: unknown, or nothing.</param>
    public static string Replacement(string? before, string after) => Difference(before, after) ?? Whole(after);

    /// <summary>As <see cref="Replacement"/>, whatever is there.</summary>
    public static string Whole(string after) => $"table {Name}\ndelete table {Name}\n{after}";

    /// <summary>Null where the whole is shorter, or where one of the two is not a table of chains, or a hook changes.</summary>
    private static string? Difference(string? before, string after)
    {
        if (before is null || !TryParse(before, out SortedDictionary<string, string>? old)
            || !TryParse(after, out SortedDictionary<string, string>? wanted))
        {
            return null;
        }

        string[] added = [.. wanted.Keys.Where(c => !old.ContainsKey(c))];
        string[] removed = [.. old.Keys.Where(c => !wanted.ContainsKey(c))];
        string[] changed = [.. wanted.Keys.Where(c => old.TryGetValue(c, out string? was) && was != wanted[c])];
        if ((added.Length + removed.Length + changed.Length) * 2 > wanted.Count
            || added.Concat(changed).Select(c => wanted[c]).Concat(removed.Concat(changed).Select(c => old[c])).Any(IsHook))
        {
            return null;
        }

        StringBuilder commands = new();
        foreach (string chain in added)
        {
            commands.Append("add chain ").Append(Name).Append(' ').Append(chain).Append('\n');
        }

        foreach (string chain in removed.Concat(changed))
        {
            commands.Append("flush chain ").Append(Name).Append(' ').Append(chain).Append('\n');
        }

        foreach (string chain in added.Concat(changed))
        {
            foreach (string rule in wanted[chain].Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                commands.Append("add rule ").Append(Name).Append(' ').Append(chain).Append(' ').Append(rule).Append('\n');
            }
        }

        // Last: by now nothing leads there.
        foreach (string chain in removed)
        {
            commands.Append("delete chain ").Append(Name).Append(' ').Append(chain).Append('\n');
        }

        return commands.ToString();
    }

    private static bool IsHook(string body) => body.StartsWith("\t\ttype ", StringComparison.Ordinal);

    /// <summary>Chains by name, each with the lines inside.</summary>
    private static bool TryParse(string table, [NotNullWhen(true)] out SortedDictionary<string, string>? chains)
    {
        chains = null;
        if (!table.StartsWith(Head, StringComparison.Ordinal) || !table.EndsWith("}\n", StringComparison.Ordinal))
        {
            return false;
        }

        SortedDictionary<string, string> found = new(StringComparer.Ordinal);
        string inside = table[Head.Length..^2];
        for (int at = 0; at < inside.Length;)
        {
            int open = inside.IndexOf(" {\n", at, StringComparison.Ordinal);
            int close = open < 0 ? -1 : inside.IndexOf(ChainTail, open, StringComparison.Ordinal);
            if (close < 0 || !inside.AsSpan(at).StartsWith(ChainHead, StringComparison.Ordinal)
                || !found.TryAdd(inside[(at + ChainHead.Length)..open], inside[(open + 3)..close]))
            {
                return false;
            }

            at = close + ChainTail.Length;
            at += at < inside.Length && inside[at] == '\n' ? 1 : 0;
        }

        chains = found;
        return true;
    }
}

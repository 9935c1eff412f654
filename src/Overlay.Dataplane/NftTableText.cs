using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Overlay.Dataplane;

/// <summary>
/// The table <c>inet overlayd</c> as text: chains, sets and objects in the order of their names, whatever order they came about
/// in; and the shortest commands from one such table to another, so that one service among thousands costs what one costs.
/// </summary>
public static class NftTableText
{
    private const string Name = "inet overlayd";
    private const string Head = $"table {Name} {{\n";
    private const string Tail = "\t}\n";
    private const string Chain = "chain ";


    /// <summary>Kept where that is possible: the kernel puts clients in it that are to be known again.</summary>
    private const string Set = "set ";

    private static readonly string[] Kinds = [Chain, "ct timeout ", Set];

    /// <summary>With its parts in order; a text that holds anything else stays as it is.</summary>
    public static string Sorted(string table) => TryParse(table, out SortedDictionary<string, string>? parts)
        ? $"{Head}{string.Join('\n', parts.Select(static p => $"\t{p.Key} {{\n{p.Value}{Tail}"))}}}\n"
        : table;

    /// <summary>
    /// Commands for nft(8), to be run as one transaction: <paramref name="after"/> instead of <paramref name="before"/>.
    /// </summary>
    /// <param name="before">What is there; null: unknown, or nothing.</param>
    public static string Replacement(string? before, string after) => Difference(before, after) ?? Whole(after);

    /// <summary>As <see cref="Replacement"/>, whatever is there.</summary>
    public static string Whole(string after) => $"table {Name}\ndelete table {Name}\n{after}";

    /// <summary>Null where the whole is shorter and loses nothing, one of the two is not readable, or a hook changes its place.</summary>
    private static string? Difference(string? before, string after)
    {
        if (before is null || !TryParse(before, out SortedDictionary<string, string>? old)
            || !TryParse(after, out SortedDictionary<string, string>? wanted))
        {
            return null;
        }

        string[] added = [.. wanted.Keys.Where(p => !old.ContainsKey(p))];
        string[] removed = [.. old.Keys.Where(p => !wanted.ContainsKey(p))];
        string[] changed = [.. wanted.Keys.Where(p => old.TryGetValue(p, out string? was) && was != wanted[p])];
        bool keepsClients = wanted.Keys.Any(p => p.StartsWith(Set, StringComparison.Ordinal) && old.ContainsKey(p));
        if ((!keepsClients && (added.Length + removed.Length + changed.Length) * 2 > wanted.Count)
            || changed.Any(p => HookOf(old[p]) != HookOf(wanted[p])))
        {
            return null;
        }

        string[] replaced = [.. changed.Where(static p => !IsChain(p))];
        // What is replaced must be referred to by nothing in between.
        string[] rewritten = [.. wanted.Keys.Where(p => IsChain(p) && old.ContainsKey(p) && (old[p] != wanted[p] || replaced.Any(r => Mentions(old[p], r))))];
        StringBuilder commands = new();
        foreach (string part in added.OrderBy(IsChain))
        {
            Add(part);
        }

        foreach (string chain in removed.Where(IsChain).Concat(rewritten))
        {
            Command("flush", chain);
        }

        foreach (string part in replaced)
        {
            Command("delete", part);
            Add(part);
        }

        foreach (string chain in added.Where(IsChain).Concat(rewritten))
        {
            foreach (string rule in LinesOf(wanted[chain]).Skip(HookOf(wanted[chain]) is null ? 0 : 1))
            {
                Command("add rule", chain, $" {rule}");
            }
        }

        // Last: by now nothing leads there.
        foreach (string part in removed.OrderByDescending(IsChain))
        {
            Command("delete", part);
        }

        return commands.ToString();

        void Add(string part) => Command(
            "add", part, !IsChain(part) ? $" {{ {InOneLine(wanted[part])} }}" : HookOf(wanted[part]) is { } hook ? $" {{ {hook} }}" : "");

        void Command(string verb, string part, string rest = "")
        {
            string kind = Kinds.First(k => part.StartsWith(k, StringComparison.Ordinal));
            commands.Append(verb).Append(' ').Append(verb.Contains(' ', StringComparison.Ordinal) ? "" : kind).Append(Name).Append(' ')
                .Append(part, kind.Length, part.Length - kind.Length).Append(rest).Append('\n');
        }
    }

    private static bool IsChain(string part) => part.StartsWith(Chain, StringComparison.Ordinal);

    /// <summary>Whether a rule refers to a set (@name) or an object ("name").</summary>
    private static bool Mentions(string rules, string part)
    {
        string name = part[(part.LastIndexOf(' ') + 1)..];
        return rules.Contains($"@{name} ", StringComparison.Ordinal) || rules.Contains($"\"{name}\"", StringComparison.Ordinal);
    }

    private static string[] LinesOf(string body) => body.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string InOneLine(string body) => string.Concat(LinesOf(body).Select(static line => $"{line}; ")).TrimEnd();

    /// <summary>Where packets come to a chain from the kernel; null: from rules alone.</summary>
    private static string? HookOf(string body) =>
        body.StartsWith("\t\ttype ", StringComparison.Ordinal) && body.Contains(" hook ", StringComparison.Ordinal) ? LinesOf(body)[0] : null;

    /// <summary>Parts by what they are and their names, each with the lines inside.</summary>
    private static bool TryParse(string table, [NotNullWhen(true)] out SortedDictionary<string, string>? parts)
    {
        parts = null;
        if (!table.StartsWith(Head, StringComparison.Ordinal) || !table.EndsWith("}\n", StringComparison.Ordinal))
        {
            return false;
        }

        SortedDictionary<string, string> found = new(StringComparer.Ordinal);
        string inside = table[Head.Length..^2];
        for (int at = 0; at < inside.Length;)
        {
            int open = inside.IndexOf(" {\n", at, StringComparison.Ordinal);
            int close = open < 0 ? -1 : inside.IndexOf(Tail, open, StringComparison.Ordinal);
            if (close < 0 || inside[at] != '\t' || !Array.Exists(Kinds, k => inside.AsSpan(at + 1).StartsWith(k, StringComparison.Ordinal))
                || !found.TryAdd(inside[(at + 1)..open], inside[(open + 3)..close]))
            {
                return false;
            }

            at = close + Tail.Length;
            at += at < inside.Length && inside[at] == '\n' ? 1 : 0;
        }

        parts = found;
        return true;
    }
}

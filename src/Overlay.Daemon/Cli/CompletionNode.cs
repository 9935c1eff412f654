using System.CommandLine;

namespace Overlay.Daemon.Cli;

/// <summary>
/// What a shell may complete at one command: drawn from the command tree, then written out per shell.
/// </summary>
/// <param name="Path">The words before, such as "network inspect"; empty at the root.</param>
/// <param name="Commands">The commands below, with their help.</param>
/// <param name="Switches">Options without a value, such as --quiet.</param>
/// <param name="Valued">Options with a value, and the words it may be (none: any).</param>
/// <param name="Names">What each argument names, in order.</param>
/// <param name="LastRepeats">Whether the last argument may be given many times.</param>
internal sealed record CompletionNode(
    string Path,
    IReadOnlyList<CompletionWord> Commands,
    IReadOnlyList<CompletionWord> Switches,
    IReadOnlyList<CompletionOption> Valued,
    IReadOnlyList<NameKind> Names,
    bool LastRepeats)
{
    /// <summary>Every visible command of the tree, parents first.</summary>
    public static IReadOnlyList<CompletionNode> OfTree(RootCommand root)
    {
        List<CompletionNode> nodes = [];
        Walk(root, "", [], nodes);
        return nodes;
    }

    private static void Walk(Command command, string path, IReadOnlyList<Option> inherited, List<CompletionNode> nodes)
    {
        List<Option> options = [.. command.Options.Where(static o => !o.Hidden), .. inherited];
        List<Command> below = [.. command.Subcommands.Where(static c => !c.Hidden)];
        List<CompletionWord> switches = [];
        List<CompletionOption> valued = [];
        foreach (Option option in options)
        {
            foreach (string name in option.Aliases.Prepend(option.Name).Where(static n => n[0] == '-'))
            {
                if (option.Arity.MaximumNumberOfValues == 0 || option.ValueType == typeof(bool))
                {
                    switches.Add(new(name, option.Description ?? ""));
                }
                else
                {
                    valued.Add(new(name, option.Description ?? "", Choices(option)));
                }
            }
        }

        nodes.Add(new(
            path,
            [.. below.Select(static c => new CompletionWord(c.Name, c.Description ?? ""))],
            switches,
            valued,
            [.. command.Arguments.Select(static a => a is INameArgument named ? named.Kind : NameKind.None)],
            command.Arguments is [.., { Arity.MaximumNumberOfValues: > 1 }]));
        IReadOnlyList<Option> recursive = [.. options.Where(static o => o.Recursive)];
        foreach (Command next in below)
        {
            Walk(next, path.Length == 0 ? next.Name : $"{path} {next.Name}", recursive, nodes);
        }
    }

    private static string[] Choices(Option option) =>
        option.HelpName is { } help && help.Contains('|', StringComparison.Ordinal)
            && !help.Any(char.IsAsciiLetterUpper)
            ? help.Split('|')
            : [];
}

/// <summary>A word and what it means.</summary>
internal readonly record struct CompletionWord(string Word, string Help);

/// <summary>An option that takes a value.</summary>
internal sealed record CompletionOption(string Name, string Help, IReadOnlyList<string> Choices);

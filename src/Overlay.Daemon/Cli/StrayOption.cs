using System.CommandLine;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Finds words that look like options but are none. The parser would take them for the value of an argument or of
/// another option, so that a mistyped --subnet became the name of a network.
/// </summary>
internal static class StrayOption
{
    /// <summary>
    /// The first such word, or null. A value that begins with '-' can be given as --name=-value or after --.
    /// </summary>
    public static string? Find(ParseResult parse, IReadOnlyList<string> words)
    {
        Command command = parse.CommandResult.Command;
        HashSet<string> known = new(Known(command), StringComparer.Ordinal);
        int end = words.Count - Captured(parse, command);
        for (int i = 0; i < end && words[i] != "--"; i++)
        {
            string name = words[i].Split('=', 2)[0];
            if (name.Length > 1 && name[0] == '-' && !known.Contains(name) && !IsBundle(name, known))
            {
                return name;
            }
        }

        return null;
    }

    /// <summary>The names of all options a command has, its own and inherited ones.</summary>
    public static IEnumerable<string> Known(Command command)
    {
        for (Command? at = command; at is not null; at = at.Parents.OfType<Command>().FirstOrDefault())
        {
            foreach (Option option in at.Options.Where(option => at == command || option.Recursive))
            {
                yield return option.Name;
                foreach (string alias in option.Aliases)
                {
                    yield return alias;
                }
            }
        }
    }

    /// <summary>Words at the end that belong to another program.</summary>
    private static int Captured(ParseResult parse, Command command) =>
        command.Arguments.Where(static argument => argument.CaptureRemainingTokens)
            .Sum(argument => parse.GetResult(argument)?.Tokens.Count ?? 0);

    /// <summary>Several letters behind one hyphen, such as -fq.</summary>
    private static bool IsBundle(string name, HashSet<string> known) =>
        name[1] != '-' && name.Skip(1).All(letter => known.Contains("-" + letter));
}

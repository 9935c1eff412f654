using System.CommandLine;
using System.CommandLine.Parsing;
using Overlay.Daemon.Configuration;

namespace Overlay.Daemon.Cli;

/// <summary>What is wrong with a command line that could not be parsed, and where its help is.</summary>
internal sealed record UsageComplaint(IReadOnlyList<string> Sentences, string HelpCommand)
{
    /// <param name="parse">What came of the command line.</param>
    /// <param name="stray">A word that looks like an option and is none, if there is one.</param>
    public static UsageComplaint Of(ParseResult parse, string? stray)
    {
        Command command = parse.CommandResult.Command;
        string help = $"{PathOf(command)} --help";
        if ((stray ?? (parse.UnmatchedTokens is [var first, ..] ? first : null)) is { } unknown)
        {
            return new([Unknown(command, unknown)], help);
        }

        if (command.Subcommands.Count > 0 && command.Action is null)
        {
            string verbs = string.Join(
                ", ", command.Subcommands.Where(static c => !c.Hidden).Select(static c => c.Name));
            return new([$"{PathOf(command)} needs a command: {verbs}."], help);
        }

        return new([.. parse.Errors.Select(error => Sentence(command, error)).Distinct()], help);
    }

    private static string Unknown(Command command, string token)
    {
        bool isOption = token.StartsWith('-');
        string word = token.Split('=', 2)[0];
        IEnumerable<string> known = isOption ? StrayOption.Known(command) : VerbNames(command);
        string kind = isOption ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
        string? near = Spelling.Nearest(word, known);
        string suggestion = near is null ? "" : $" Did you mean {near}?";
        return kind == "argument"
            ? $"{PathOf(command)} does not take the argument '{word}'.{suggestion}"
            : $"{PathOf(command)} has no {kind} '{word}'.{suggestion}";
    }

    private static string Sentence(Command command, ParseError error)
    {
        string message = error.Message;
        OptionResult? of = error.SymbolResult as OptionResult ?? error.SymbolResult?.Parent as OptionResult;
        if (of is { Tokens.Count: 0 } option)
        {
            message = $"{option.Option.Name} needs a value: {option.Option.HelpName}";
        }
        else if (error.SymbolResult is ArgumentResult { Tokens.Count: 0 } missing)
        {
            message = $"{PathOf(command)} needs {missing.Argument.Name}";
        }

        return message.EndsWith('.') || message.EndsWith('?') ? message : message + ".";
    }

    private static IEnumerable<string> VerbNames(Command command) =>
        command.Subcommands.Where(static c => !c.Hidden).SelectMany(static c => c.Aliases.Append(c.Name));

    private static string PathOf(Command command)
    {
        string? parent = command.Parents.OfType<Command>().FirstOrDefault() is { } above ? PathOf(above) : null;
        return parent is null ? "overlayd" : $"{parent} {command.Name}";
    }
}

using System.CommandLine;
using Overlay.Daemon.Cli.Verbs;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>Runs one command line and turns every way it can fail into one sentence and an exit code.</summary>
internal static class CommandLine
{
    public static async Task<int> RunAsync(
        string[] arguments, Terminal terminal, AgentRunner runAgent, CancellationToken stop)
    {
        // Help and complaints speak of every verb; anything else needs only its own.
        ParseResult? parse = CommandTree.BuildFor(arguments, terminal, runAgent) is { } few ? Parse(few, arguments) : null;
        string? stray = parse is null ? null : StrayOption.Find(parse, arguments);
        if (parse is null || stray is not null || parse.Errors.Count > 0 || parse.Action is HelpWithExamples)
        {
            parse = Parse(CommandTree.Build(terminal, runAgent), arguments);
            stray = StrayOption.Find(parse, arguments);
        }

        if ((stray is not null || parse.Errors.Count > 0) && parse.Action is not HelpWithExamples)
        {
            return Refuse(terminal, UsageComplaint.Of(parse, stray));
        }

        InvocationConfiguration configuration = new()
        {
            Output = terminal.Out,
            Error = terminal.Error,
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
        };
        try
        {
            return await parse.InvokeAsync(configuration, stop);
        }
        catch (FailureException failed)
        {
            Tell(terminal, failed.Failure);
            return failed.Failure.ExitCode;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return ExitCode.Interrupted;
        }
    }

    public static void Tell(Terminal terminal, Failure failure) =>
        terminal.Error.WriteLine("overlayd: " + failure.Sentence);

    private static ParseResult Parse(RootCommand root, string[] arguments) =>
        root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });

    private static int Refuse(Terminal terminal, UsageComplaint complaint)
    {
        foreach (string sentence in complaint.Sentences)
        {
            terminal.Error.WriteLine("overlayd: " + sentence);
        }

        terminal.Error.WriteLine($"See `{complaint.HelpCommand}`.");
        return ExitCode.Usage;
    }
}

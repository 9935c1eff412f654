using System.CommandLine;
using System.Runtime.InteropServices;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary>Runs the agent until it is told to stop; returns the exit code of the process.</summary>
internal delegate Task<int> AgentRunner(AgentSettings settings, CancellationToken stop);

/// <summary><c>run</c>: the agent itself. Its flags are the <see cref="SettingCatalog"/>.</summary>
internal static class RunVerb
{
    public static Verb Make(VerbMaker maker, AgentRunner runAgent)
    {
        List<(Setting Setting, Option<string[]> Flag)> flags =
        [
            .. SettingCatalog.All
                .Where(static setting => setting != SettingCatalog.Socket)
                .Select(static setting => (setting, FlagOf(setting))),
        ];
        Option<bool> check = Symbols.Switch("--check", "Check the settings, show each with its origin, and end");
        Verb verb = new(
            "run", "Run the agent of this host",
            "overlayd run",
            "overlayd run --log-level debug --metrics-addr none",
            "OVERLAYD_STATE_DIR=/srv/overlayd overlayd run --check");
        return maker.Does(verb, RunAsync, [check, .. flags.Select(static flag => flag.Flag)]);

        async Task<int> RunAsync(Invocation run)
        {
            SettingTexts given = Given(run, maker.Globals.Socket, flags);
            AgentSettings? settings = SettingsReader.OfProcess(run.Terminal.Environment).Read(given, out var problems);
            if (settings is null)
            {
                return Refuse(run, problems);
            }

            if (run.Value(check))
            {
                Show(run, settings);
                return ExitCode.Ok;
            }

            return await RunUntilSignalledAsync(runAgent, settings, run.Stop);
        }
    }

    private static Option<string[]> FlagOf(Setting setting)
    {
        string more = setting.IsList ? "; may be repeated" : "";
        string byDefault = setting.DefaultTexts is [{ Length: > 0 }, ..] texts
            ? $" [default: {string.Join(", ", texts)}]"
            : "";
        return Symbols.Texts(setting.Flag, setting.ValueName, setting.Help + more + byDefault);
    }

    private static SettingTexts Given(
        Invocation run, Option<string?> socket, List<(Setting Setting, Option<string[]> Flag)> flags)
    {
        SortedDictionary<string, IReadOnlyList<string>> texts = new(StringComparer.Ordinal);
        if (run.Value(socket) is { } path)
        {
            texts.Add(SettingCatalog.Socket.Name, [path]);
        }

        foreach ((Setting setting, Option<string[]> flag) in flags)
        {
            if (run.Texts(flag) is { Length: > 0 } values)
            {
                texts.Add(setting.Name, values);
            }
        }

        return new(SettingOrigin.Flag, texts);
    }

    private static int Refuse(Invocation run, IReadOnlyList<SettingProblem> problems)
    {
        if (problems is [var only])
        {
            run.Tell(new("cannot start", only.ToString(), "See `overlayd run --help`", ExitCode.Usage));
            return ExitCode.Usage;
        }

        run.Tell(
            new("cannot start", $"{problems.Count} settings are wrong", "See `overlayd run --help`", ExitCode.Usage));
        foreach (SettingProblem problem in problems)
        {
            run.Terminal.Error.WriteLine($"  {problem}");
        }

        return ExitCode.Usage;
    }

    /// <summary>With -q the exit code says it all.</summary>
    private static void Show(Invocation run, AgentSettings settings)
    {
        if (run.Output.Options.Json)
        {
            run.Output.Line(Json.Rows(settings.Values.Select(static value => new (string, string)[]
            {
                ("setting", value.Name),
                ("value", value.Text),
                ("origin", OriginOf(value)),
            })));
        }
        else if (!run.Output.Options.Quiet)
        {
            run.Output.Table<SettingValue>(
                [
                    new("SETTING", static (value, _) => value.Name),
                    new("VALUE", static (value, _) => value.Text),
                    new("ORIGIN", static (value, _) => OriginOf(value)),
                ],
                settings.Values);
        }
    }

    private static string OriginOf(SettingValue value) => value.Origin.ToString().ToLowerInvariant();

    /// <summary>
    /// SIGTERM and SIGINT ask for an orderly end; a second one is left to the system, which ends the process.
    /// </summary>
    private static async Task<int> RunUntilSignalledAsync(
        AgentRunner runAgent, AgentSettings settings, CancellationToken stop)
    {
        using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        return await runAgent(settings, ending.Token);

        void End(PosixSignalContext signal)
        {
            signal.Cancel = !ending.IsCancellationRequested;
            ending.Cancel();
        }
    }
}

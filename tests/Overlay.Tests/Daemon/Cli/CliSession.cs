using Overlay.Daemon.Cli;
using Overlay.Daemon.Cli.Verbs;
using Overlay.Daemon.Configuration;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>Runs command lines as Program.cs does, with its own environment and in memory.</summary>
internal sealed class CliSession
{
    private readonly SortedDictionary<string, string> environment = new(StringComparer.Ordinal);

    /// <summary>What standard input holds.</summary>
    public string Input { get; set; } = "";

    /// <summary>What somebody types when asked for a secret; null: nobody sits there.</summary>
    public string? Typed { get; set; }

    /// <summary>The real clock, for calls whose deadline must lie ahead; else a clock that stands still.</summary>
    public TimeProvider Time { get; set; } = new StillTime();

    /// <summary>What `run` does.</summary>
    public AgentRunner RunAgent { get; set; } = static (_, _) => Task.FromResult(0);

    public string this[string variable]
    {
        set => environment[variable] = value;
    }

    /// <summary>The settings that `run` would start with.</summary>
    public async Task<AgentSettings?> SettingsOfAsync(params string[] arguments)
    {
        AgentSettings? seen = null;
        RunAgent = (settings, _) =>
        {
            seen = settings;
            return Task.FromResult(0);
        };
        await RunAsync(["run", .. arguments]);
        return seen;
    }

    public async Task<CliResult> RunAsync(params string[] arguments)
    {
        await using StringWriter output = new() { NewLine = "\n" };
        await using StringWriter error = new() { NewLine = "\n" };
        using StringReader input = new(Input);
        Terminal terminal = new()
        {
            Out = output,
            Error = error,
            In = input,
            OutIsTerminal = false,
            Environment = name => environment.GetValueOrDefault(name),
            Time = Time,
            AskSecret = Typed is null ? null : prompt =>
            {
                error.Write(prompt);
                return Typed;
            },
        };
        int exitCode = await CommandLine.RunAsync(arguments, terminal, RunAgent, TestContext.Current.CancellationToken);
        return new(exitCode, output.ToString(), error.ToString());
    }
}

/// <summary>What a command left behind.</summary>
internal sealed record CliResult(int ExitCode, string Out, string Error);

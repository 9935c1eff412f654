namespace Overlay.Daemon.Cli;

/// <summary>All that the CLI sees of the world it was started in; tests hand in their own.</summary>
internal sealed class Terminal
{
    /// <summary>Data goes here.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Talk goes here: errors, progress, hints.</summary>
    public required TextWriter Error { get; init; }

    public required TextReader In { get; init; }

    /// <summary>False when output goes to a file or pipe, where tables are plain columns.</summary>
    public required bool OutIsTerminal { get; init; }

    public required Func<string, string?> Environment { get; init; }

    public required TimeProvider Time { get; init; }

    public static Terminal OfProcess() => new()
    {
        Out = Console.Out,
        Error = Console.Error,
        In = Console.In,
        OutIsTerminal = !Console.IsOutputRedirected,
        Environment = System.Environment.GetEnvironmentVariable,
        Time = TimeProvider.System,
    };
}

namespace Overlay.Daemon.Cli;

/// <summary>All that the CLI sees of the world it was started in; tests hand in their own.</summary>
internal sealed class Terminal
{
    /// <summary>Data goes here.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>Talk goes here: errors, progress, hints.</summary>
    public required TextWriter Error { get; init; }

    public required TextReader In { get; init; }

    /// <summary>Prompts whoever sits at the terminal and reads a line without showing it; null: nobody does.</summary>
    public Func<string, string>? AskSecret { get; init; }

    /// <summary>False when output goes to a file or pipe, where tables are plain columns.</summary>
    public required bool OutIsTerminal { get; init; }

    public required Func<string, string?> Environment { get; init; }

    public required TimeProvider Time { get; init; }

    public static Terminal OfProcess() => new()
    {
        Out = Console.Out,
        Error = Console.Error,
        In = Console.In,
        AskSecret = Console.IsInputRedirected ? null : AskAtConsole,
        OutIsTerminal = !Console.IsOutputRedirected,
        Environment = System.Environment.GetEnvironmentVariable,
        Time = TimeProvider.System,
    };

    private static string AskAtConsole(string prompt)
    {
        Console.Error.Write(prompt);
        System.Text.StringBuilder line = new();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } pressed)
        {
            if (pressed.Key == ConsoleKey.Backspace)
            {
                line.Length = Math.Max(0, line.Length - 1);
            }
            else if (!char.IsControl(pressed.KeyChar))
            {
                line.Append(pressed.KeyChar);
            }
        }

        Console.Error.WriteLine();
        return line.ToString();
    }
}

using Spectre.Console;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Tables for people at a terminal. The only user of Spectre.Console, which is therefore loaded only when one is drawn.
/// </summary>
internal static class ColourTable
{
    public static void Write(TextWriter output, IReadOnlyList<string> headings, IReadOnlyList<Cell[]> rows)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Detect,
            ColorSystem = ColorSystemSupport.Detect,
            Out = new AnsiConsoleOutput(output),
        });
        Table table = new Table().NoBorder();
        foreach (string heading in headings)
        {
            table.AddColumn(new TableColumn(new Text(heading, new Style(decoration: Decoration.Bold)))
                .NoWrap().PadLeft(0).PadRight(2));
        }

        foreach (Cell[] row in rows)
        {
            table.AddRow(
                [.. row.Select(static cell => new Text(cell.Text, cell.IsState ? StyleOf(cell.Text) : Style.Plain))]);
        }

        console.Write(table);
    }

    /// <summary>One line whose first word has the colour of a state.</summary>
    public static void WriteState(TextWriter output, string before, string state)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        console.Write(before);
        console.Write(state, StyleOf(state));
        console.WriteLine();
    }

    private static Style StyleOf(string state) => state switch
    {
        "alive" or "ready" or "connected" => new Style(Color.Green),
        "suspect" or "agent-down" or "held-down" or "pending" or "degraded" or "unknown" => new Style(Color.Yellow),
        "dead" or "failed" or "unreachable" => new Style(Color.Red),
        "left" => new Style(Color.Grey),
        _ => Style.Plain,
    };
}

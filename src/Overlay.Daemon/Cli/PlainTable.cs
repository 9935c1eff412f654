using System.Text;

namespace Overlay.Daemon.Cli;

/// <summary>Aligned columns without decoration, for pipes, files and terminals without colour.</summary>
internal static class PlainTable
{
    private const int Gap = 3;

    public static void Write(TextWriter output, IReadOnlyList<string> headings, IReadOnlyList<Cell[]> rows)
    {
        int[] widths =
            [.. headings.Select((heading, i) => rows.Select(row => row[i].Text.Length).Append(heading.Length).Max())];
        WriteRow(output, headings, widths);
        foreach (Cell[] row in rows)
        {
            WriteRow(output, [.. row.Select(static cell => cell.Text)], widths);
        }
    }

    private static void WriteRow(TextWriter output, IReadOnlyList<string> cells, int[] widths)
    {
        StringBuilder line = new();
        for (int i = 0; i < cells.Count; i++)
        {
            line.Append(cells[i]);
            if (i < cells.Count - 1)
            {
                line.Append(' ', widths[i] - cells[i].Length + Gap);
            }
        }

        output.WriteLine(line.ToString());
    }
}

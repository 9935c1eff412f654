using System.Text;
using Overlay.Linux.Processes;

namespace Overlay.Daemon.Checks;

/// <summary>Waits for a command without a thread: it is looked at often in the beginning, as most end soon, and less and less.</summary>
internal static class CommandProbe
{
    private const int MostShownCharacters = 120;
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan LongestLook = TimeSpan.FromMilliseconds(50);

    /// <exception cref="ProbeFault">It ended with something else than 0.</exception>
    public static async Task WaitAsync(ShellCommand command, TimeProvider time, CancellationToken cancellationToken)
    {
        TimeSpan look = FirstLook;
        int? code;
        while ((code = command.TryEnd()) is null)
        {
            await Task.Delay(look, time, cancellationToken);
            look = look * 2 < LongestLook ? look * 2 : LongestLook;
        }

        if (code != 0)
        {
            string said = Shown(command.Output);
            throw new ProbeFault((code > 128 ? $"ended by signal {code - 128}" : $"exit {code}") + (said.Length == 0 ? "" : $": {said}"));
        }
    }

    /// <summary>The last line that says something, fit for a terminal.</summary>
    internal static string Shown(string output)
    {
        string line = output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).LastOrDefault() ?? "";
        StringBuilder shown = new();
        foreach (char c in line.Take(MostShownCharacters))
        {
            shown.Append(char.IsControl(c) || char.IsSurrogate(c) ? '?' : c);
        }

        return shown.ToString();
    }
}

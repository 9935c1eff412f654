using System.Globalization;

namespace Overlay.Simulation.Linearizability;

/// <summary><c>Overlay.Simulation raft linearizable FILE</c>: could this history of real clients have happened in an order?</summary>
internal static class HistoryProgram
{
    /// <returns>0: yes; 1: no, or it was given up; 2: the file cannot be read.</returns>
    public static int Run(string[] args, TextWriter output)
    {
        long steps = 100_000_000;
        if (args is not ([_] or [_, "--steps", _]) || (args.Length > 1 && !long.TryParse(args[2], CultureInfo.InvariantCulture, out steps)))
        {
            output.WriteLine("Usage: Overlay.Simulation raft linearizable FILE [--steps N]");
            return 2;
        }

        string file = args[0];
        try
        {
            List<Operation<RegisterInput, RegisterOutput>> history = HistoryFile.Read(File.ReadLines(file), out List<string> keys);
            LinearizabilityVerdict verdict = LinearizabilityChecker.CheckRegisters(history, steps);
            string key = verdict.Result == LinearizabilityResult.Linearizable ? "" : $" (key \"{keys[verdict.Key]}\")";
            output.WriteLine($"{history.Count} operations on {keys.Count} keys, {verdict.Steps} steps: {verdict}{key}");
            output.WriteLine(verdict.Result == LinearizabilityResult.Linearizable ? "1 passed, 0 failed, 0 skipped" : "0 passed, 1 failed, 0 skipped");
            return verdict.Result == LinearizabilityResult.Linearizable ? 0 : 1;
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
        {
            output.WriteLine($"{file}: {e.Message}");
            return 2;
        }
    }
}

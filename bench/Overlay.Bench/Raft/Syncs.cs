using System.Diagnostics;
using System.Globalization;

namespace Overlay.Bench.Raft;

/// <summary>How often a process asks the kernel to make files durable, counted by perf at the system calls.</summary>
internal static class Syncs
{
    private static readonly string[] Calls = ["syscalls:sys_enter_fdatasync", "syscalls:sys_enter_fsync"];

    /// <returns>A second; null: perf or the kernel's trace points are not there.</returns>
    public static async Task<double?> PerSecondAsync(int pid, int seconds)
    {
        ProcessStartInfo info = new(
            "perf",
            [
                "stat", "-x", ",", .. Calls.SelectMany(static c => new[] { "-e", c }),
                "-p", pid.ToString(CultureInfo.InvariantCulture), "--", "sleep", seconds.ToString(CultureInfo.InvariantCulture),
            ])
        {
            RedirectStandardError = true,
        };
        try
        {
            using Process perf = Process.Start(info)!;
            string text = await perf.StandardError.ReadToEndAsync();
            await perf.WaitForExitAsync();
            double[] counts =
            [
                .. text.Split('\n').Select(static l => l.Split(',')).Where(static f => f.Length > 2 && f[2].StartsWith("syscalls:", StringComparison.Ordinal))
                    .Select(static f => double.TryParse(f[0], CultureInfo.InvariantCulture, out double count) ? count : double.NaN),
            ];
            return counts.Length == Calls.Length && !counts.Any(double.IsNaN) ? counts.Sum() / seconds : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}

using System.Diagnostics;

namespace Overlay.Bench;

/// <summary>A command line run to its end, with its output read and dropped.</summary>
internal static class TimedCommand
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public static Samples Median(int rounds, IReadOnlyList<string> command)
    {
        // The first run fills the page cache and is not counted.
        Run(command);
        Samples samples = new();
        for (int round = 0; round < rounds; round++)
        {
            samples.Add(Run(command));
        }

        return samples;
    }

    /// <exception cref="InvalidOperationException">It failed, or took too long.</exception>
    public static TimeSpan Run(IReadOnlyList<string> command)
    {
        ProcessStartInfo start = new(command[0], command.Skip(1))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        long begin = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)
            ?? throw new InvalidOperationException($"{command[0]} did not start");
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> complaint = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"`{string.Join(' ', command)}` took more than {Limit.TotalSeconds} s");
        }

        TimeSpan elapsed = Stopwatch.GetElapsedTime(begin);
        Task.WaitAll(output, complaint);
        return process.ExitCode == 0
            ? elapsed
            : throw new InvalidOperationException(
                $"`{string.Join(' ', command)}` failed with {process.ExitCode}: {complaint.GetAwaiter().GetResult()}");
    }
}

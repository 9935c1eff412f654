using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Overlay.Simulation.Whole;

/// <summary>
/// <c>Overlay.Simulation raft whole</c>: schedules of whole managers, from the bytes on their disks to the answers of their
/// callers, with all invariants after every turn.
/// </summary>
internal static class WholeProgram
{
    /// <summary>So many schedules must bring about everything that <see cref="WholeSometimes"/> names.</summary>
    private const int Enough = 2000;

    public static int Run(string[] args)
    {
        ulong count = Option(args, "--seeds", 200);
        ulong first = Option(args, "--first", 1);
        ulong only = Option(args, "--seed", 0);
        bool trace = args.Contains("--trace");
        int jobs = trace ? 1 : (int)Option(args, "--jobs", (ulong)Environment.ProcessorCount);
        bool stop = args.Contains("--stop");
        IEnumerable<ulong> seeds = only != 0 ? [only] : Former().Union(Range(first, count));
        Stopwatch watch = Stopwatch.StartNew();
        WholeCounters total = new();
        (long Runs, long Failed, long Events, long Time, long Acknowledged) sum = default;
        Lock gate = new();
        Parallel.ForEach(
            Partitioner.Create(seeds, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = jobs },
            (seed, state) =>
            {
                WholeVerdict verdict = Once(seed, trace);
                lock (gate)
                {
                    total.Add(verdict.Counters);
                    sum.Runs++;
                    sum.Events += verdict.Events;
                    sum.Time += verdict.Time;
                    sum.Acknowledged += verdict.Acknowledged;
                    if (verdict.Failure is { } failure)
                    {
                        sum.Failed++;
                        Console.WriteLine(
                            $"not ok whole seed {verdict.Seed}: {failure}\n  {verdict.Swarm}\n"
                            + $"  replay: Overlay.Simulation raft whole --seed {verdict.Seed} --trace");
                        if (stop)
                        {
                            state.Stop();
                        }
                    }
                }
            });
        double cpu = Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds;
        Console.WriteLine(total);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{sum.Runs} schedules of whole managers, {sum.Events} events, {sum.Time / 1e9:F0} s of virtual time, {sum.Acknowledged} acknowledged "
            + $"writes, {watch.Elapsed.TotalSeconds:F1} s, {cpu:F1} s of CPU, {sum.Runs / cpu * 60:F0} schedules per CPU minute"));
        if (sum.Runs >= Enough && !stop && total.Missing.ToArray() is { Length: > 0 } missing)
        {
            sum.Failed++;
            Console.WriteLine($"not ok: in all these schedules it never happened: {string.Join(", ", missing)}");
        }

        Console.WriteLine($"{Math.Max(0, sum.Runs - sum.Failed)} passed, {sum.Failed} failed, 0 skipped");
        return sum.Failed == 0 ? 0 : 1;
    }

    /// <summary>One seed in fifty runs twice: the same seed is the same run.</summary>
    private static WholeVerdict Once(ulong seed, bool trace)
    {
        WholeVerdict verdict = WholeRun.Of(seed, trace);
        return seed % 50 == 0 && verdict.Failure is null && WholeRun.Of(seed, trace: false).Transcript != verdict.Transcript
            ? verdict with { Failure = "two runs of the seed differ" }
            : verdict;
    }

    private static IEnumerable<ulong> Former() =>
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, "whole-seeds.txt")).Where(static l => l.Length > 0 && l[0] != '#')
            .Select(static l => ulong.Parse(l.Split(' ')[0], CultureInfo.InvariantCulture));

    private static IEnumerable<ulong> Range(ulong first, ulong count)
    {
        for (ulong i = 0; i < count; i++)
        {
            yield return first + i;
        }
    }

    private static ulong Option(string[] args, string name, ulong otherwise)
    {
        int at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? ulong.Parse(args[at + 1], CultureInfo.InvariantCulture) : otherwise;
    }
}

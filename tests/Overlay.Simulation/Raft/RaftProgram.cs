using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Overlay.Simulation.Linearizability;
using Overlay.Simulation.Whole;

namespace Overlay.Simulation.Raft;

/// <summary><c>Overlay.Simulation raft check</c>: schedules of the Raft core alone, with all invariants after every event.</summary>
internal static class RaftProgram
{
    /// <summary>So many schedules must bring about everything that <see cref="RaftSometimes"/> names.</summary>
    private const int Enough = 1000;

    private const string Usage =
        "Usage: Overlay.Simulation raft check|whole [--seeds N] [--first SEED] [--jobs J] [--seed SEED [--trace]] [--stop]\n"
        + "       Overlay.Simulation raft linearizable FILE [--steps N]";

    public static int Run(string[] args)
    {
        if (args is ["whole", .. string[] whole])
        {
            return WholeProgram.Run(whole);
        }

        if (args is ["par", .. string[] par])
        {
            return ParGrid.Run(par);
        }

        if (args is ["linearizable", .. string[] history])
        {
            return HistoryProgram.Run(history, Console.Out);
        }

        if (args is not ["check", ..])
        {
            Console.Error.WriteLine(Usage);
            return 2;
        }

        ulong count = Option(args, "--seeds", 1000);
        ulong first = Option(args, "--first", 1);
        ulong only = Option(args, "--seed", 0);
        bool trace = args.Contains("--trace");
        int jobs = trace ? 1 : (int)Option(args, "--jobs", (ulong)Environment.ProcessorCount);
        IEnumerable<ulong> seeds = only != 0 ? [only] : Former().Union(Range(first, count));
        return Check(seeds, jobs, trace, args.Contains("--stop"));
    }

    private static int Check(IEnumerable<ulong> seeds, int jobs, bool trace, bool stopAtFirst)
    {
        Stopwatch watch = Stopwatch.StartNew();
        RaftCounters total = new();
        (long Runs, long Failed, long Events, long Time, long Acknowledged) sum = default;
        Lock gate = new();
        Parallel.ForEach(
            Partitioner.Create(seeds, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = jobs },
            (seed, state) =>
            {
                RaftVerdict verdict = Once(seed, trace);
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
                        Tell(verdict, failure);
                        if (stopAtFirst)
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
            $"{sum.Runs} schedules, {sum.Events} events, {sum.Time / 1e9:F0} s of virtual time, {sum.Acknowledged} acknowledged writes, "
            + $"{watch.Elapsed.TotalSeconds:F1} s, {cpu:F1} s of CPU, {sum.Runs / cpu * 60:F0} schedules per CPU minute"));
        if (sum.Runs >= Enough && !stopAtFirst && total.Missing.ToArray() is { Length: > 0 } missing)
        {
            sum.Failed++;
            Console.WriteLine($"not ok: in all these schedules it never happened: {string.Join(", ", missing)}");
        }

        Console.WriteLine($"{Math.Max(0, sum.Runs - sum.Failed)} passed, {sum.Failed} failed, 0 skipped");
        return sum.Failed == 0 ? 0 : 1;
    }

    /// <summary>One seed in fifty runs twice: the same seed is the same run.</summary>
    private static RaftVerdict Once(ulong seed, bool trace)
    {
        RaftVerdict verdict = RaftRun.Of(seed, trace);
        return seed % 50 == 0 && verdict.Failure is null && RaftRun.Of(seed, trace: false).Transcript != verdict.Transcript
            ? verdict with { Failure = "two runs of the seed differ" }
            : verdict;
    }

    private static void Tell(RaftVerdict verdict, string failure) => Console.WriteLine(
        $"not ok raft seed {verdict.Seed}: {failure}\n  {verdict.Swarm}\n  replay: Overlay.Simulation raft check --seed {verdict.Seed} --trace");

    private static IEnumerable<ulong> Former() =>
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, "raft-seeds.txt")).Where(static l => l.Length > 0 && l[0] != '#')
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

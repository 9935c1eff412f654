using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Overlay.Simulation;

/// <summary>How one schedule went.</summary>
/// <param name="Failure">Null: well.</param>
/// <param name="Swarm">What the seed chose, as text for whoever looks into it.</param>
/// <param name="Time">Nanoseconds of virtual time.</param>
internal sealed record ScheduleVerdict<TThing>(
    ulong Seed, string? Failure, object Swarm, SometimesCounters<TThing> Counters, ulong Transcript, long Events, long Time, long Acknowledged)
    where TThing : struct, Enum;

/// <summary>How often each thing happened that must happen sometimes, or the schedules prove nothing.</summary>
/// <typeparam name="TThing">An enumeration of <see cref="int"/> from 0 on without gaps.</typeparam>
internal sealed class SometimesCounters<TThing>
    where TThing : struct, Enum
{
    private readonly long[] counts = new long[Enum.GetValues<TThing>().Length];

    public IEnumerable<TThing> Missing => Enum.GetValues<TThing>().Where(thing => this[thing] == 0);

    public long this[TThing thing] => counts[Unsafe.BitCast<TThing, int>(thing)];

    public void Add(TThing thing) => counts[Unsafe.BitCast<TThing, int>(thing)]++;

    public void Add(SometimesCounters<TThing> other)
    {
        for (int i = 0; i < counts.Length; i++)
        {
            counts[i] += other.counts[i];
        }
    }

    public override string ToString() => string.Join(", ", Enum.GetValues<TThing>().Select(thing => $"{thing} {this[thing]}"));
}

/// <summary>Runs schedules by their seeds, those first that once failed, and tells what came of them.</summary>
/// <param name="command">What repeats one: "raft check".</param>
/// <param name="name">What a failure is told of: "raft".</param>
/// <param name="what">What there are so many of: "schedules".</param>
/// <param name="enough">So many must bring about everything that <typeparamref name="TThing"/> names.</param>
/// <param name="once">Seed, and whether to tell what happens.</param>
internal sealed class Schedules<TThing>(
    string command, string name, string what, int enough, Func<ulong, bool, ScheduleVerdict<TThing>> once)
    where TThing : struct, Enum
{
    /// <param name="args">--seeds N, --first SEED, --seed SEED [--trace], --jobs J, --stop.</param>
    /// <param name="usual">How many seeds, if none is given.</param>
    /// <returns>The exit code.</returns>
    public int Run(string[] args, ulong usual)
    {
        ulong count = Number(args, "--seeds", usual);
        ulong first = Number(args, "--first", 1);
        ulong only = Number(args, "--seed", 0);
        bool trace = args.Contains("--trace");
        int jobs = trace ? 1 : (int)Number(args, "--jobs", (ulong)Environment.ProcessorCount);
        return Run(only != 0 ? [only] : Former().Union(Range(first, count)), jobs, trace, args.Contains("--stop"));
    }

    private int Run(IEnumerable<ulong> seeds, int jobs, bool trace, bool stopAtFirst)
    {
        Stopwatch watch = Stopwatch.StartNew();
        SometimesCounters<TThing> total = new();
        (long Runs, long Failed, long Events, long Time, long Acknowledged) sum = default;
        Lock gate = new();
        Parallel.ForEach(
            Partitioner.Create(seeds, EnumerablePartitionerOptions.NoBuffering), new ParallelOptions { MaxDegreeOfParallelism = jobs },
            (seed, state) =>
            {
                ScheduleVerdict<TThing> verdict = Twice(seed, trace);
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
            $"{sum.Runs} {what}, {sum.Events} events, {sum.Time / 1e9:F0} s of virtual time, {sum.Acknowledged} acknowledged writes, "
            + $"{watch.Elapsed.TotalSeconds:F1} s, {cpu:F1} s of CPU, {sum.Runs / cpu * 60:F0} schedules per CPU minute"));
        if (sum.Runs >= enough && !stopAtFirst && total.Missing.ToArray() is { Length: > 0 } missing)
        {
            sum.Failed++;
            Console.WriteLine($"not ok: in all these schedules it never happened: {string.Join(", ", missing)}");
        }

        Console.WriteLine($"{Math.Max(0, sum.Runs - sum.Failed)} passed, {sum.Failed} failed, 0 skipped");
        return sum.Failed == 0 ? 0 : 1;
    }

    /// <summary>One seed in fifty: the same seed is the same run.</summary>
    private ScheduleVerdict<TThing> Twice(ulong seed, bool trace)
    {
        ScheduleVerdict<TThing> verdict = once(seed, trace);
        return seed % 50 == 0 && verdict.Failure is null && once(seed, false).Transcript != verdict.Transcript
            ? verdict with { Failure = "two runs of the seed differ" }
            : verdict;
    }

    private void Tell(ScheduleVerdict<TThing> verdict, string failure) => Console.WriteLine(
        $"not ok {name} seed {verdict.Seed}: {failure}\n  {verdict.Swarm}\n  replay: Overlay.Simulation {command} --seed {verdict.Seed} --trace");

    private IEnumerable<ulong> Former() =>
        File.ReadLines(Path.Combine(AppContext.BaseDirectory, $"{name}-seeds.txt")).Where(static l => l.Length > 0 && l[0] != '#')
            .Select(static l => ulong.Parse(l.Split(' ')[0], CultureInfo.InvariantCulture));

    private static ulong Number(string[] args, string name, ulong otherwise)
    {
        int at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? ulong.Parse(args[at + 1], CultureInfo.InvariantCulture) : otherwise;
    }

    private static IEnumerable<ulong> Range(ulong first, ulong count)
    {
        for (ulong i = 0; i < count; i++)
        {
            yield return first + i;
        }
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using Overlay.Simulation;
using Overlay.Simulation.Gossip;
using Overlay.Simulation.Raft;

if (args is ["gossip", .. string[] experiment])
{
    return GossipProgram.Run(experiment);
}

if (args is ["raft", .. string[] verb])
{
    return RaftProgram.Run(verb);
}

int count = 200;
ulong? only = null;
bool trace = args.Contains("--trace");
for (int i = 0; i + 1 < args.Length; i++)
{
    if (args[i] == "--seeds")
    {
        count = int.Parse(args[i + 1], CultureInfo.InvariantCulture);
    }
    else if (args[i] == "--seed")
    {
        only = ulong.Parse(args[i + 1], CultureInfo.InvariantCulture);
    }
}

string list = Path.Combine(AppContext.BaseDirectory, "seeds.txt");
IEnumerable<ulong> former = File.ReadLines(list).Where(static l => l.Length > 0 && l[0] != '#')
    .Select(static l => ulong.Parse(l.Split(' ')[0], CultureInfo.InvariantCulture));
ulong[] seeds = only is { } one ? [one] : [.. former.Union(Enumerable.Range(1, count).Select(static n => (ulong)n))];
ConcurrentBag<Run.Verdict> verdicts = [];
Parallel.ForEach(
    Partitioner.Create(seeds, loadBalance: true), new ParallelOptions { MaxDegreeOfParallelism = trace ? 1 : Environment.ProcessorCount },
    seed =>
    {
        Run.Verdict verdict = Run.Of(seed, trace);
        if (seed % 10 == 0 && verdict.Failure is null && Run.Of(seed, trace: false).Transcript != verdict.Transcript)
        {
            verdict = verdict with { Failure = "two runs of the seed differ" };
        }

        verdicts.Add(verdict);
    });

Counters total = new();
int failed = 0;
foreach (Run.Verdict verdict in verdicts.OrderBy(static v => v.Seed))
{
    total.Add(verdict.Counters);
    if (verdict.Failure is { } failure)
    {
        failed++;
        Console.WriteLine($"not ok seed {verdict.Seed}: {failure}\n  {verdict.Options}\n  replay: Overlay.Simulation --seed {verdict.Seed} --trace");
    }
}

Console.WriteLine(total);
int passed = seeds.Length - failed;
if (only is null && count >= 50 && total.Missing.ToArray() is { Length: > 0 } missing)
{
    failed++;
    Console.WriteLine($"not ok: in all these runs it never happened: {string.Join(", ", missing)}");
}

Console.WriteLine($"{passed} passed, {failed} failed, 0 skipped");
return failed == 0 ? 0 : 1;

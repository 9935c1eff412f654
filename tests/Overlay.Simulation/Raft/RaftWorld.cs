using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Simulation.Raft;

/// <summary>
/// One cluster of cores alone in virtual time: one queue decides what comes first, and the seed everything else. Random
/// numbers come from a stream for each concern, so that a change to one does not shift the others.
/// </summary>
internal sealed class RaftWorld
{
    private readonly EventHeap events = new();
    private readonly RaftShell shell;
    private readonly RaftTroubles troubles;
    private readonly RaftOperator operators;

    public RaftWorld(ulong seed, bool trace)
    {
        Trace = trace;
        Swarm = RaftSwarm.Draw(Stream(seed, 1));
        Network = new(Stream(seed, 2), Swarm, Swarm.Slots);
        Nodes = new RaftSimNode[Swarm.Slots];
        Configuration initial = Configuration.OfVoters([.. Enumerable.Range(1, Swarm.Voters).Select(static i => new MemberId((ulong)i))]);
        Log = new(initial, Swarm.Keys);
        Prng drift = Stream(seed, 3);
        for (int i = 0; i < Nodes.Length; i++)
        {
            Nodes[i] = new(i, new(Origin(i < Swarm.Voters))) { Drift = Swarm.Drift ? (drift.NextDouble() - 0.5) * 0.1 : 0 };
        }

        Watch = new(Nodes, Log, Counters);
        Clients = new(this, Stream(seed, 4));
        shell = new(this, Stream(seed, 5), Stream(seed, 6), Stream(seed, 7));
        troubles = new(this, Stream(seed, 8));
        operators = new(this, Stream(seed, 9));
    }

    public bool Trace { get; }

    public RaftSwarm Swarm { get; }

    public RaftNetwork Network { get; }

    public RaftSimNode[] Nodes { get; }

    public CommittedLog Log { get; }

    public RaftWatch Watch { get; }

    public RaftClients Clients { get; }

    public RaftShell Shell => shell;

    public SometimesCounters<RaftSometimes> Counters { get; } = new();

    public long Now { get; private set; }

    public long Events { get; private set; }

    /// <summary>A hash of everything that happened; the same for every run of a seed.</summary>
    public ulong Transcript { get; private set; } = 14695981039346656037;

    public RaftSimNode? Leader
    {
        get
        {
            RaftSimNode? leader = null;
            foreach (RaftSimNode node in Nodes)
            {
                if (node.IsLeading && (leader is null || node.Core!.Term > leader.Core!.Term))
                {
                    leader = node;
                }
            }

            return leader;
        }
    }

    public RaftSnapshot Origin(bool isFounder) => new(default, isFounder ? Log.Initial : Configuration.Empty, Log.HashAt(0));

    public void Later(long delay, RaftEventKind kind, int node, int life = 0, ulong argument = 0) =>
        events.Add(new(Now + Math.Max(delay, 0), kind, node, life, argument));

    public void Mix(ulong value) => Transcript = (Transcript ^ value ^ (Transcript >> 29)) * 0x9E3779B97F4A7C15;

    public void Say(string text) => Console.WriteLine($"{Now / 1e9,10:F4} {text}");

    public void Begin()
    {
        foreach (RaftSimNode node in Nodes)
        {
            shell.Start(node);
        }

        Clients.Begin();
        troubles.Begin();
        operators.Begin();
    }

    /// <summary>Runs until the condition holds, asked after every event, or the time is over.</summary>
    public bool RunUntil(long end, Func<bool>? done)
    {
        while (!events.IsEmpty && events.NextAt <= end)
        {
            Step(events.Take());
            if (done is not null && done())
            {
                return true;
            }
        }

        Now = Math.Max(Now, end);
        return false;
    }

    /// <summary>No more faults: everything runs, everybody reaches everybody, disks are quick.</summary>
    public void Heal()
    {
        troubles.Stop();
        operators.Stop();
        Network.Heal();
        foreach (RaftSimNode node in Nodes)
        {
            node.PausedUntil = Math.Min(node.PausedUntil, Now);
            node.SlowDiskUntil = Math.Min(node.SlowDiskUntil, Now);
            if (!node.IsUp)
            {
                shell.Start(node);
            }
        }
    }

    private static Prng Stream(ulong seed, ulong concern) => new((seed * 0x9E3779B97F4A7C15) ^ (concern << 56));

    private void Step(in RaftEvent item)
    {
        Now = Math.Max(Now, item.At);
        Events++;
        Mix((ulong)Now ^ ((ulong)item.Kind << 56) ^ ((ulong)item.Node << 48));
        switch (item.Kind)
        {
            case RaftEventKind.Trouble:
                troubles.Happen();
                break;
            case RaftEventKind.Operator:
                operators.Act();
                break;
            case RaftEventKind.Restart:
                if (Nodes[item.Node] is { IsUp: false } down && down.Life == item.Life)
                {
                    shell.Start(down);
                }

                break;
            case RaftEventKind.ClientTimeout or RaftEventKind.ClientThink:
                Clients.Happen(item);
                break;
            case RaftEventKind.Deliver or RaftEventKind.Client:
                ToNode(item, Nodes[item.Node]);
                break;
            default:
                if (Nodes[item.Node].IsUp && Nodes[item.Node].Life == item.Life)
                {
                    ToNode(item, Nodes[item.Node]);
                }

                break;
        }
    }

    private void ToNode(in RaftEvent item, RaftSimNode node)
    {
        if (node.IsUp && node.PausedUntil > Now)
        {
            events.Add(item with { At = node.PausedUntil });
            return;
        }

        switch (item.Kind)
        {
            case RaftEventKind.Deliver:
                shell.Deliver(node, (int)item.Argument);
                break;
            case RaftEventKind.Client:
                Clients.Arrive(node, item.Argument);
                break;
            default:
                shell.Happen(node, item);
                break;
        }
    }
}

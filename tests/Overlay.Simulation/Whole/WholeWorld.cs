using Overlay.Primitives;

namespace Overlay.Simulation.Whole;

/// <summary>
/// One cluster of whole managers in virtual time, on one thread: one queue decides what comes first, and the seed everything
/// else. Random numbers come from a stream for each concern, so that a change to one does not shift the others.
/// </summary>
internal sealed class WholeWorld
{
    /// <summary>A schedule has some thousands.</summary>
    private const long MostEvents = 300_000;

    private readonly PriorityQueue<Action, (long At, long Order)> queue = new();
    private readonly WholeTroubles troubles;
    private long order;

    public WholeWorld(ulong seed, bool trace, WholeSwarm? swarm = null)
    {
        Seed = seed;
        Trace = trace;
        Swarm = swarm ?? WholeSwarm.Draw(Stream(1));
        Network = new(this, Stream(2));
        Prng drift = Stream(3);
        Beginning beginning = Beginning.Of(this, Stream(10));
        Truth = new(this, beginning.Snapshot);
        Watch = new(this);
        Nodes = new WholeNode[Swarm.Slots];
        for (int i = 0; i < Nodes.Length; i++)
        {
            Nodes[i] = new(this, i, Swarm.Drift ? (drift.NextDouble() - 0.5) * 0.1 : 0);
        }

        beginning.Write();
        Clients = new(this, Stream(4));
        troubles = new(this, Stream(8));
        Operator = new(this, Stream(9));
    }

    public ulong Seed { get; }

    public bool Trace { get; }

    public WholeSwarm Swarm { get; }

    public WholeNetwork Network { get; }

    public WholeTruth Truth { get; }

    public WholeWatch Watch { get; }

    public WholeNode[] Nodes { get; }

    public WholeClients Clients { get; }

    public WholeOperator Operator { get; }

    public SometimesCounters<WholeSometimes> Counters { get; } = new();

    public long Now { get; private set; }

    public long Events { get; private set; }

    /// <summary>No more faults.</summary>
    public bool IsCalm { get; private set; }

    /// <summary>A hash of everything that happened; the same for every run of a seed.</summary>
    public ulong Transcript { get; private set; } = 14695981039346656037;

    public WholeNode? Leader =>
        Nodes.Where(static n => n.IsLeading).OrderByDescending(static n => n.Core!.Term).FirstOrDefault();

    public Prng Stream(ulong concern) => new((Seed * 0x9E3779B97F4A7C15) ^ (concern << 56));

    public void Later(long delay, Action action) => queue.Enqueue(action, (Now + Math.Max(delay, 0), order++));

    public void Mix(ulong value) => Transcript = (Transcript ^ value ^ (Transcript >> 29)) * 0x9E3779B97F4A7C15;

    public void Say(object who, string text)
    {
        if (Trace)
        {
            Console.WriteLine($"{Now / 1e9,10:F4} {who} {text}");
        }
    }

    public void Begin()
    {
        foreach (WholeNode node in Nodes)
        {
            node.Start();
        }

        Clients.Begin();
        troubles.Begin();
        Operator.Begin();
    }

    /// <summary>Runs until the condition holds, asked after every event, or the time is over.</summary>
    public bool RunUntil(long end, Func<bool>? done)
    {
        while (queue.TryPeek(out _, out (long At, long Order) next) && next.At <= end)
        {
            Action action = queue.Dequeue();
            Now = Math.Max(Now, next.At);
            Events++;
            Mix((ulong)Now);
            WholeWatch.Require(Events < MostEvents, "world", $"{Events} events and no end");
            action();
            if (done is not null && done())
            {
                return true;
            }
        }

        Now = Math.Max(Now, end);
        return false;
    }

    /// <summary>A disk that nobody uses may change by itself.</summary>
    public void Decay(WholeNode node) => troubles.Decay(node);

    /// <summary>Everything runs, everybody reaches everybody, disks are quick and sound.</summary>
    public void Heal()
    {
        IsCalm = true;
        troubles.Stop();
        Network.Heal();
        foreach (WholeNode node in Nodes)
        {
            node.Heal();
        }
    }
}

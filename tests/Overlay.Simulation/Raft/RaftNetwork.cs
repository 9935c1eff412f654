using Overlay.Primitives;

namespace Overlay.Simulation.Raft;

/// <summary>The ways between nodes: each direction of each pair may be cut alone; what is under way arrives whenever.</summary>
internal sealed class RaftNetwork(Prng prng, RaftSwarm swarm, int slots)
{
    private readonly bool[] cut = new bool[slots * slots];

    public bool IsHealed { get; private set; }

    public bool IsCut(int from, int to) => cut[(from * slots) + to];

    public void Cut(int from, int to) => cut[(from * slots) + to] = true;

    public void Isolate(int node)
    {
        for (int i = 0; i < slots; i++)
        {
            Cut(i, node);
            Cut(node, i);
        }
    }

    public void Mend() => Array.Clear(cut);

    public void Heal()
    {
        Mend();
        IsHealed = true;
    }

    /// <summary>Nanoseconds until each copy arrives; negative: that copy does not.</summary>
    public (long First, long Second) Delays(int from, int to)
    {
        if (cut[(from * slots) + to])
        {
            return (-1, -1);
        }

        if (IsHealed)
        {
            return (Delay(), -1);
        }

        long first = swarm.Loss > 0 && prng.Chance(swarm.Loss) ? -1 : Delay();
        long second = swarm.Duplication > 0 && prng.Chance(swarm.Duplication) ? Delay() : -1;
        return (first, second);
    }

    private long Delay()
    {
        if (IsHealed)
        {
            return (long)(Math.Min(swarm.MaxDelay, 5 * RaftSwarm.Millisecond) * prng.NextDouble());
        }

        long delay = swarm.MinDelay + (long)((swarm.MaxDelay - swarm.MinDelay) * prng.NextDouble());
        if (swarm.LongDelays > 0 && prng.Chance(swarm.LongDelays))
        {
            delay += (long)(RaftSwarm.LongestDelay * prng.NextDouble());
        }

        return delay;
    }
}

using Overlay.Primitives;

namespace Overlay.Simulation.Whole;

/// <summary>The ways between managers, and from clients to them: each direction of each pair may be cut alone.</summary>
internal sealed class WholeNetwork(WholeWorld world, Prng prng)
{
    private readonly bool[] cut = new bool[world.Swarm.Slots * world.Swarm.Slots];

    public bool IsCut(int from, int to) => cut[(from * world.Swarm.Slots) + to];

    public void Cut(int from, int to) => cut[(from * world.Swarm.Slots) + to] = true;

    public void Isolate(int node)
    {
        for (int i = 0; i < world.Swarm.Slots; i++)
        {
            Cut(i, node);
            Cut(node, i);
        }
    }

    public void Heal() => Array.Clear(cut);

    /// <returns>False: it is lost.</returns>
    public bool Send(int from, int to, int bytes, Action arrive)
    {
        WholeSwarm swarm = world.Swarm;
        if (IsCut(from, to))
        {
            return false;
        }

        if (!world.IsCalm && swarm.Duplication > 0 && prng.Chance(swarm.Duplication))
        {
            world.Later(Delay(bytes), arrive);
        }

        if (!world.IsCalm && swarm.Loss > 0 && prng.Chance(swarm.Loss))
        {
            return false;
        }

        world.Later(Delay(bytes), arrive);
        return true;
    }

    /// <summary>A millisecond, or what the swarm has; a mebibyte takes 10 ms more.</summary>
    public long Delay(int bytes)
    {
        long most = world.IsCalm ? Math.Min(world.Swarm.MaxDelay, 2 * WholeSwarm.Millisecond) : world.Swarm.MaxDelay;
        long delay = (long)(most * (0.1 + (0.9 * prng.NextDouble()))) + (bytes * 10L);
        return !world.IsCalm && world.Swarm.LongDelays > 0 && prng.Chance(world.Swarm.LongDelays)
            ? delay + (long)(5 * WholeSwarm.Second * prng.NextDouble())
            : delay;
    }
}

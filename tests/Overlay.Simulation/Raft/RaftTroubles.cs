using Overlay.Primitives;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Raft;

/// <summary>What goes wrong until <see cref="Stop"/>: of the kinds that the swarm has, one after another at random.</summary>
internal sealed class RaftTroubles(RaftWorld world, Prng prng)
{
    private bool stopped;

    public void Begin() => Next();

    public void Stop() => stopped = true;

    public void Happen()
    {
        if (stopped)
        {
            return;
        }

        RaftSwarm swarm = world.Swarm;
        RaftSimNode node = prng.Chance(0.4) && world.Leader is { } leader ? leader : world.Nodes[prng.Next(world.Nodes.Length)];
        switch (prng.Next(9))
        {
            case 0 when swarm.Partitions:
                Part();
                break;
            case 1 when swarm.Partitions:
                Isolate(node);
                break;
            case 2 when swarm.OneWay:
                CutOneWay();
                break;
            case 3 or 4 when swarm.Partitions || swarm.OneWay:
                world.Network.Mend();
                break;
            case 5 when swarm.Crashes:
                Crash(node);
                break;
            case 6 when swarm.Crashes && prng.Chance(0.3):
                Array.ForEach(world.Nodes, Crash);
                break;
            case 7 when swarm.Pauses:
                Pause(node);
                break;
            case 8 when swarm.SlowDisks && node.IsUp:
                node.SlowDiskUntil = world.Now + (long)(3 * RaftSwarm.Second * prng.NextDouble());
                world.Counters.Add(RaftSometimes.SlowDisk);
                break;
        }

        Next();
    }

    private void Next() =>
        world.Later((long)(world.Swarm.MaxTroublePause * prng.NextDouble()), RaftEventKind.Trouble, 0);

    private void Part()
    {
        int side = prng.Next(1 << world.Nodes.Length);
        for (int from = 0; from < world.Nodes.Length; from++)
        {
            for (int to = 0; to < world.Nodes.Length; to++)
            {
                if (((side >> from) & 1) != ((side >> to) & 1))
                {
                    world.Network.Cut(from, to);
                }
            }
        }

        world.Counters.Add(RaftSometimes.Partition);
    }

    private void Isolate(RaftSimNode node)
    {
        if (node.IsLeading)
        {
            world.Counters.Add(RaftSometimes.LeaderIsolated);
        }

        world.Network.Isolate(node.Slot);
    }

    private void CutOneWay()
    {
        for (int i = 0; i < 1 + prng.Next(3); i++)
        {
            world.Network.Cut(prng.Next(world.Nodes.Length), prng.Next(world.Nodes.Length));
        }

        world.Counters.Add(RaftSometimes.OneWayCut);
    }

    private void Crash(RaftSimNode node)
    {
        if (!node.IsUp)
        {
            return;
        }

        ulong id = node.Id.Value;
        world.Shell.Crash(node);
        if (world.Watch.IsForgotten(node) && prng.Chance(0.7))
        {
            node.Wipe(world.Origin(isFounder: false));
            world.Counters.Add(RaftSometimes.NodeWiped);
        }

        world.Later((long)(4 * RaftSwarm.Second * prng.NextDouble() * prng.NextDouble()), RaftEventKind.Restart, node.Slot, node.Life);
        if (world.Swarm.Hints)
        {
            foreach (RaftSimNode other in world.Nodes)
            {
                if (other is { Core.Role: RaftRole.Follower } && prng.Chance(0.5))
                {
                    world.Later(prng.Next(50) * RaftSwarm.Millisecond, RaftEventKind.LeaderGone, other.Slot, other.Life, id);
                }
            }
        }
    }

    private void Pause(RaftSimNode node)
    {
        if (node.IsUp)
        {
            world.Counters.Add(node.IsLeading ? RaftSometimes.PauseOfLeader : RaftSometimes.Pause);
            node.PausedUntil = world.Now + (long)(4 * RaftSwarm.Second * prng.NextDouble());
        }
    }
}

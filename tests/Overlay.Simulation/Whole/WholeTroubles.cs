using Overlay.Primitives;

namespace Overlay.Simulation.Whole;

/// <summary>What goes wrong until <see cref="Stop"/>: of the kinds that the swarm has, one after another at random.</summary>
internal sealed class WholeTroubles(WholeWorld world, Prng prng)
{
    private readonly DiskDecay decay = new(world, prng);
    private bool stopped;

    public void Begin() => Next();

    public void Stop() => stopped = true;

    public void Decay(WholeNode node)
    {
        if (!stopped)
        {
            decay.MayStrike(node);
        }
    }

    private void Next() => world.Later((long)(world.Swarm.MaxTroublePause * prng.NextDouble()), Happen);

    private void Happen()
    {
        if (stopped)
        {
            return;
        }

        WholeSwarm swarm = world.Swarm;
        WholeNode node = prng.Chance(0.4) && world.Leader is { } leader ? leader : world.Nodes[prng.Next(world.Nodes.Length)];
        switch (prng.Next(14))
        {
            case 0 when swarm.Partitions:
                Part();
                break;
            case 1 when swarm.Partitions:
                world.Counters.Add(node.IsLeading ? WholeSometimes.LeaderIsolated : WholeSometimes.Partition);
                world.Network.Isolate(node.Slot);
                break;
            case 2 when swarm.OneWay:
                CutOneWay();
                break;
            case 3 or 4:
                world.Network.Heal();
                break;
            case 5 when swarm.Kills:
                End(node, power: false);
                break;
            case 6 when swarm.PowerFailures:
                End(node, power: true);
                break;
            case 7 when swarm.PowerFailures && prng.Chance(0.4):
                Array.ForEach(world.Nodes, n => End(n, power: true));
                break;
            case 8 when swarm.Stops:
                node.Stop();
                break;
            case 9 when swarm.Pauses && node.IsUp:
                Pause(node);
                break;
            case 10 when swarm.SlowDisks:
                node.SlowDiskUntil = world.Now + (long)(4 * WholeSwarm.Second * prng.NextDouble());
                break;
            case 11 when swarm.DiskErrors:
                node.Disk.FailChance = prng.NextDouble() * 0.1;
                break;
            case 12 when swarm.FullDisks:
                Fill(node);
                break;
            case 13 when swarm.WallJumps:
                node.Wall(TimeSpan.FromSeconds(prng.Next(7200) - 3600));
                world.Counters.Add(WholeSometimes.WallJump);
                break;
        }

        Next();
    }

    private void End(WholeNode node, bool power)
    {
        Overlay.Raft.MemberId id = node.Id;
        bool led = node.IsLeading;
        if (prng.Chance(0.6))
        {
            node.CrashSoon(power);
        }
        else
        {
            node.Crash(power);
        }

        if (!node.IsUp && world.Watch.IsForgotten(node) && prng.Chance(0.7))
        {
            node.Wipe();
            world.Counters.Add(WholeSometimes.MemberWiped);
            world.Later(WholeSwarm.Second, node.Start);
        }

        if (led && !node.IsUp && world.Swarm.Hints && !power)
        {
            // The connections end, and everybody notices.
            foreach (WholeNode other in world.Nodes.Where(n => n.IsUp && prng.Chance(0.7)))
            {
                other.Later(prng.Next(20) * WholeSwarm.Millisecond, () =>
                {
                    other.Loop!.Engine.Gone(id);
                    other.Poke();
                });
            }
        }
    }

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

        world.Counters.Add(WholeSometimes.Partition);
    }

    private void CutOneWay()
    {
        for (int i = 0; i < 1 + prng.Next(3); i++)
        {
            world.Network.Cut(prng.Next(world.Nodes.Length), prng.Next(world.Nodes.Length));
        }

        world.Counters.Add(WholeSometimes.OneWayCut);
    }

    private void Pause(WholeNode node)
    {
        if (node.IsLeading)
        {
            world.Counters.Add(WholeSometimes.PauseOfLeader);
        }

        node.PausedUntil = world.Now + (long)(4 * WholeSwarm.Second * prng.NextDouble());
    }

    private void Fill(WholeNode node)
    {
        node.Disk.IsFull = true;
        SimDisk disk = node.Disk;
        world.Later((long)(4 * WholeSwarm.Second * prng.NextDouble()), () => disk.IsFull = false);
    }
}

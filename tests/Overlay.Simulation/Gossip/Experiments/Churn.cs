using System.Buffers.Binary;
using Overlay.Gossip;
using Overlay.Primitives;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>
/// Nodes that all write into one network's table while some crash and come back: how long a write takes to everybody
/// who is up from then on, and a newcomer to everything.
/// </summary>
internal static class Churn
{
    private const string Network = "net";
    private static readonly TimeSpan WriteEvery = TimeSpan.FromSeconds(1);

    public static int Run(GossipSettings settings)
    {
        int nodes = settings.Nodes ?? 25;
        List<double>[] runs = settings.ForEachSeed(10, seed => new Course(seed, nodes, settings.Number("--loss") ?? 0.01).Go());
        List<double> delays = [.. runs.SelectMany(r => r)];
        Figure.Print($"churn_n{nodes}_writes", delays.Count, "count");
        Figure.Print($"churn_n{nodes}_p50", Figure.Percentile(delays, 0.5), "s", "1.4", "memberlist, networkdb");
        Figure.Print($"churn_n{nodes}_p90", Figure.Percentile(delays, 0.9), "s", "11", "memberlist, networkdb");
        Figure.Print($"churn_n{nodes}_p99", Figure.Percentile(delays, 0.99), "s");
        return 0;
    }

    private sealed class Course
    {
        private readonly GossipWorld world;
        private readonly SortedDictionary<long, Write> open = [];
        private readonly List<double> delays = [];
        private long counter;

        public Course(ulong seed, int nodes, double loss)
        {
            GossipArm arm = GossipArm.Ours with { Options = GossipArm.Ours.Options with { SettleTime = TimeSpan.FromSeconds(2) } };
            world = new(nodes, seed, arm) { Loss = loss, Observer = Hear };
        }

        public List<double> Go()
        {
            world.StartAcquainted();
            foreach (GossipNode node in world.Nodes)
            {
                world.Do(node, static (s, now, e) => s.Subscribe(Network, now, e));
            }

            world.Run(TimeSpan.FromSeconds(10));
            foreach (GossipNode node in world.Nodes)
            {
                world.Later(world.Prng.Between(TimeSpan.Zero, WriteEvery), () => Put(node));
            }

            world.Later(TimeSpan.FromSeconds(5), Restart);
            world.Run(TimeSpan.FromSeconds(110));
            return delays;
        }

        private void Put(GossipNode node)
        {
            world.Later(world.Prng.Between(WriteEvery * 0.5, WriteEvery * 1.5), () => Put(node));
            if (!node.IsUp || world.Now > new Instant(100_000_000_000))
            {
                return;
            }

            long number = ++counter;
            byte[] value = new byte[8];
            BinaryPrimitives.WriteInt64BigEndian(value, number);
            string key = $"k{world.Prng.Next(10)}";
            Close(node.Name, key);
            open.Add(number, new(node.Name, key, world.Now, [.. world.Live.Where(n => n != node).Select(n => n.Index)]));
            world.Do(node, (s, now, e) => s.Put(Network, key, value, now, e));
        }

        /// <summary>A later write of the same key makes it impossible to see the earlier one everywhere.</summary>
        private void Close(string owner, string key)
        {
            foreach (long old in open.Where(w => w.Value.Owner == owner && w.Value.Key == key).Select(w => w.Key).ToList())
            {
                delays.Add((world.Now - open[old].At).TotalSeconds);
                open.Remove(old);
            }
        }

        private void Hear(GossipNode node, GossipEvent change)
        {
            if (change is GossipEvent.EntryChanged { Value: { Length: 8 } value })
            {
                Got(node.Index, BinaryPrimitives.ReadInt64BigEndian(value.Span));
            }
        }

        private void Got(int node, long number)
        {
            if (open.TryGetValue(number, out Write? write) && write.Missing.Remove(node) && write.Missing.Count == 0)
            {
                delays.Add((world.Now - write.At).TotalSeconds);
                open.Remove(number);
            }
        }

        private void Restart()
        {
            world.Later(TimeSpan.FromSeconds(5), Restart);
            GossipNode node = world.Nodes[world.Prng.Next(world.Nodes.Length)];
            world.Crash(node);
            foreach ((long number, Write write) in open.ToList())
            {
                if (write.Owner == node.Name)
                {
                    open.Remove(number);
                }
                else
                {
                    Got(node.Index, number);
                }
            }

            world.Later(TimeSpan.FromSeconds(3), () =>
            {
                world.Start(node, [.. world.Live.Take(2).Select(static n => n.Address)]);
                foreach (Write write in open.Values)
                {
                    write.Missing.Add(node.Index);
                }

                world.Do(node, static (s, now, e) => s.Subscribe(Network, now, e));
            });
        }

        private sealed record Write(string Owner, string Key, Instant At, HashSet<int> Missing);
    }
}

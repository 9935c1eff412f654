using System.Globalization;
using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Simulation.Whole;

/// <summary>
/// <c>Overlay.Simulation raft par</c>: the experiments of Protocol-Aware Recovery (Alagappan et al., FAST '18, table 2) with
/// whole managers. Three have the same four decided entries, all are down, disks are damaged, all start: what is whole
/// anywhere must come back and the cluster go on; of what is whole nowhere nothing may be made up or forgotten.
/// </summary>
internal static class ParGrid
{
    private const int Entries = 4;
    private const int Combinations = 1 << (Entries * 3);
    private const int Recoverable = 2401;

    public static int Run(string[] args)
    {
        int random = args is ["--random", string count] ? int.Parse(count, CultureInfo.InvariantCulture) : 1000;
        bool ok = Tell("targeted damage, every combination", Combinations, Recoverable, static (world, number) => Grid(world, number));
        ok &= Tell("random blocks", random, 0, static (world, _) => Blocks(world, 1 + world.Stream(78).Next(8)));
        ok &= Tell("random blocks, one manager behind", random, 0, static (world, number) =>
        {
            Behind(world.Nodes[number % 3]);
            Blocks(world, 1 + world.Stream(78).Next(8));
        });
        ok &= Tell("snapshots", random, 0, static (world, _) => Snapshots(world));
        Console.WriteLine(ok ? "4 passed, 0 failed, 0 skipped" : "0 passed, 1 failed, 0 skipped");
        return ok ? 0 : 1;
    }

    /// <summary>Whether all three came back with all entries and decided more; null: it is not safe.</summary>
    public static bool? Recovers(ulong seed, Action<WholeWorld> damage, out string failure)
    {
        WholeSwarm swarm = WholeSwarm.Draw(new(seed)) with
        {
            Voters = 3,
            Spares = 0,
            Decay = Decay.Anywhere,
            Encrypted = (seed & 3) == 3,
            Clients = 0,
            Membership = false,
            Limits = new() { SegmentEntries = 2 + (int)(seed % 3) },
            SnapshotEvery = 4096,
        };
        WholeWorld world = new(seed, trace: false, swarm);
        failure = "";
        try
        {
            Write(world);
            damage(world);
            world.Heal();
            world.Operator.Begin();
            ulong last = Beginning.Index + Entries;
            return world.RunUntil(
                20 * WholeSwarm.Second,
                () => world.Truth.Last > last && world.Operator.IsDone
                    && Array.TrueForAll(world.Nodes, node => node.IsUp && node.Core!.AppliedIndex >= last));
        }
        catch (Exception e) when (e is ViolationException or InvariantException)
        {
            failure = e.Message;
            return null;
        }
    }

    private static bool Tell(string what, int count, int wanted, Action<WholeWorld, int> damage)
    {
        (int recovered, int refused, int bad) = (0, 0, 0);
        for (int number = 0; number < count; number++)
        {
            int each = number;
            bool? whole = Recovers(1 + (ulong)number, world => damage(world, each), out string failure);
            recovered += whole == true ? 1 : 0;
            refused += whole == false ? 1 : 0;
            bad += whole is null ? 1 : 0;
            if (whole is null)
            {
                Console.WriteLine($"not ok par, {what}, number {number}: {failure}");
            }
        }

        bool ok = bad == 0 && (wanted == 0 || recovered == wanted);
        Console.WriteLine($"{(ok ? "ok" : "not ok")} {what}: {count} cases, {recovered} recovered, {refused} refused, {bad} unsafe");
        return ok;
    }

    /// <summary>The four entries, decided, on every disk.</summary>
    private static void Write(WholeWorld world)
    {
        Store store = new();
        store.Restore(StoreSnapshot.Parser.ParseFrom(Beginning.Of(world, world.Stream(10)).Snapshot.Data.Span));
        LogEntry[] entries = new LogEntry[Entries];
        for (int i = 0; i < Entries; i++)
        {
            ulong index = Beginning.Index + (ulong)i + 1;
            Transaction transaction = new Intent(store.State, $"p{i}", 0).AddNode(Beginning.NodeOf(2000 + index, NodeRole.Worker)).Value.Transaction;
            store.Apply(index, transaction);
            entries[i] = new(index, Beginning.Term, transaction.ToByteArray());
        }

        foreach (WholeNode node in world.Nodes)
        {
            using (LogStore log = LogStore.OpenAs(new SimFolder(node.Disk), node.OptionsOfLog, out _))
            {
                log.Append(entries);
            }

            node.Disk.Settle();
            node.Durable.Wrote(new(1, null, 0, entries, null));
        }

        foreach (LogEntry entry in entries)
        {
            world.Truth.Register(world.Nodes[0], entry, 0);
            world.Truth.Commit(world.Nodes[0], entry, Beginning.Term);
        }
    }

    private static void Grid(WholeWorld world, int combination)
    {
        for (int m = 0; m < 3; m++)
        {
            for (int i = 0; i < Entries; i++)
            {
                if (((combination >> (m * Entries)) & (1 << i)) != 0)
                {
                    Damage(world.Nodes[m], Beginning.Index + (ulong)i + 1, m + i);
                }
            }
        }
    }

    /// <summary>An entry in its header, in its data, or as a whole.</summary>
    private static void Damage(WholeNode node, ulong index, int kind)
    {
        node.HasDecayed = true;
        foreach ((string name, SimFile file) in node.Disk.Files)
        {
            if (!LogNames.TryReadSegment(name, out _, out ulong first) || index < first)
            {
                continue;
            }

            SegmentScan scan = SegmentScan.Of(file.Cached.ToArray());
            int slot = (int)(index - first);
            if (slot < scan.Offsets.Count)
            {
                int at = (int)scan.Offsets[slot];
                int end = slot + 1 < scan.Offsets.Count ? (int)scan.Offsets[slot + 1] : file.Cached.Length;
                (int place, byte[] bytes) = (kind % 3) switch
                {
                    0 => (at, [(byte)(file.Cached.Slice(at, 1)[0] ^ 1)]),
                    1 => (end - 9, [(byte)(file.Cached.Slice(end - 9, 1)[0] ^ 0x80)]),
                    _ => (at, new byte[end - at]),
                };
                file.Decay(b => b.Write(place, bytes));
            }
        }
    }

    /// <summary>Blocks of 512 bytes in any file of any manager, but never an entry and its identifier.</summary>
    private static void Blocks(WholeWorld world, int count)
    {
        Prng prng = world.Stream(77);
        for (; count > 0; count--)
        {
            WholeNode node = world.Nodes[prng.Next(3)];
            (string Name, SimFile File)[] files =
            [
                .. node.Disk.Files.Where(static f => f.Value.Cached.Length > StartOf(f.Key)).Select(static f => (f.Key, f.Value)),
            ];
            (string name, SimFile file) = files[prng.Next(files.Length)];
            int at = StartOf(name) + prng.Next(file.Cached.Length - StartOf(name));
            byte[] garbage = new byte[Math.Min(512, file.Cached.Length - at)];
            prng.Fill(garbage);
            file.Decay(bytes => bytes.Write(at, garbage));
            node.HasDecayed = true;
        }
    }

    private static int StartOf(string name) => LogNames.TryReadSegment(name, out _, out _) ? SegmentFormat.EntriesOffset : 0;

    /// <summary>The manager never had the last two entries.</summary>
    private static void Behind(WholeNode node)
    {
        using (LogStore log = LogStore.OpenAs(new SimFolder(node.Disk), node.OptionsOfLog, out _))
        {
            log.CutFrom(Beginning.Index + 3);
        }

        node.Disk.Settle();
        node.Durable.CutFrom(Beginning.Index + 3);
    }

    private static void Snapshots(WholeWorld world)
    {
        Prng prng = world.Stream(77);
        for (int count = 1 + prng.Next(2); count > 0; count--)
        {
            WholeNode node = world.Nodes[prng.Next(3)];
            SimFile file = node.Disk.Files[LogNames.Snapshot(Beginning.Index)];
            int at = prng.Next(file.Cached.Length);
            file.Decay(bytes => bytes.Write(at, [(byte)(bytes.Slice(at, 1)[0] ^ 4)]));
            node.HasDecayed = true;
        }
    }
}

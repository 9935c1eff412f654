using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Raft.Repair;

/// <summary>
/// Sectors, files and snapshots that go bad on any of three members, one of which lags behind with a suffix that was
/// never committed. Whoever comes up has every committed entry it ever had, and no other in its place.
/// </summary>
public sealed class RepairScheduleTests
{
    /// <summary>Entries up to here were committed, by members 1 and 2.</summary>
    private const ulong Committed = 16;
    private static readonly MemberId[] Ids = [new(1), new(2), new(3)];
    private static readonly Configuration Everybody = Configuration.OfVoters(Ids);
    private readonly SortedDictionary<string, int> seen = new(StringComparer.Ordinal);

    [Fact]
    public void Random_damage_is_repaired_or_waited_out_and_never_forgets_what_was_committed()
    {
        Prng prng = new(31);
        SortedDictionary<string, ReadOnlyMemory<byte>>[] sound = [.. Ids.Select(static (_, m) => Image(m))];
        for (int round = 0; round < 250; round++)
        {
            Run(sound, prng, round);
        }

        foreach (string what in (string[])["Cut", "TakeSnapshot", "Write", "lost", "waits", "whole"])
        {
            Assert.True(seen.GetValueOrDefault(what) > 0, $"{what}: {string.Join(", ", seen)}");
        }
    }

    [Fact]
    public void What_a_damaged_snapshot_had_replaced_does_not_come_back_between_right_entries()
    {
        // Entries 10 to 13 of an old leader were given up for a snapshot of 16, and the log went on behind it.
        ModelFolder folder = new(Image(2));
        using (LogStore log = LogStore.OpenAs(folder, RepairCluster.OptionsOf(Ids[2]), out _))
        {
            log.Write(new(1, null, 0, new[] { Entry(17, 3) }, new(16, 3)), Snapshot(16));
        }

        SortedDictionary<string, ReadOnlyMemory<byte>> image = folder.Image();
        byte[] bytes = image[LogNames.Snapshot(16)].ToArray();
        bytes[^1] ^= 1;
        image[LogNames.Snapshot(16)] = bytes;
        using RepairCluster cluster = new();
        ModelFolder leader = new(Image(0));
        using (LogStore log = LogStore.OpenAs(leader, RepairCluster.OptionsOf(Ids[0]), out _))
        {
            log.SaveSnapshot(Snapshot(18));
        }

        cluster.Start(Ids[0], leader.Image());
        cluster.Start(Ids[1], Image(1));
        cluster.Start(Ids[2], image);
        cluster.Settle();
        RepairCluster.Member member = cluster.Members[Ids[2]];
        Assert.Equal([RepairStep.TakeSnapshot], member.Done.Select(static d => d.Step));
        Assert.True(member.IsWhole);
        Assert.Equal((18ul, 18ul), (member.Found!.Snapshot!.Index, member.Found.LastIndex));
    }

    private static LogEntry Entry(ulong index, ulong term) => index == 1
        ? new(1, term, EntryKind.Configuration, Everybody.ToBytes())
        : MemberLogModel.Entry(index, term) with { Kind = EntryKind.Data };

    private static ulong TermAt(ulong index) => index <= 9 ? 1ul : index <= 14 ? 2ul : 3;

    private static LogSnapshot Snapshot(ulong index) =>
        new(index, TermAt(index), BitConverter.GetBytes(index)) { Configuration = Everybody };

    /// <summary>Member 0 leads and has 20 entries, 1 has 18, 2 has 9 of them and 4 of an old leader's.</summary>
    private static SortedDictionary<string, ReadOnlyMemory<byte>> Image(int member)
    {
        ModelFolder folder = new();
        using (LogStore log = LogStore.OpenAs(folder, RepairCluster.OptionsOf(Ids[member]), out _))
        {
            log.WriteState(new(3, Ids[0]));
            ulong last = member switch { 0 => 20ul, 1 => 18, _ => 9 };
            for (ulong index = 1; index <= last; index++)
            {
                log.Write(new(index, null, 0, new[] { Entry(index, TermAt(index)) }, null));
                if (index == 6 || (index == 11 && member == 0))
                {
                    log.SaveSnapshot(Snapshot(index));
                }
            }

            for (ulong index = 10; index <= 13 && member == 2; index++)
            {
                log.Write(new(index, null, 0, new[] { Entry(index, 1) }, null));
            }
        }

        return folder.Image();
    }

    private void Run(SortedDictionary<string, ReadOnlyMemory<byte>>[] sound, Prng prng, int round)
    {
        using RepairCluster cluster = new();
        for (int m = 0; m < Ids.Length; m++)
        {
            SortedDictionary<string, ReadOnlyMemory<byte>> image = new(sound[m], StringComparer.Ordinal);
            for (int harm = prng.Next(4); harm > 0; harm--)
            {
                Harm(image, prng);
            }

            cluster.Start(Ids[m], image);
        }

        MemberId[] silent = prng.Chance(0.2) ? [Ids[prng.Next(3)]] : [];
        cluster.Settle(silent);
        for (int m = 0; m < Ids.Length; m++)
        {
            Check(cluster.Members[Ids[m]], m, $"round {round}, member {m}");
        }
    }

    private static void Harm(SortedDictionary<string, ReadOnlyMemory<byte>> image, Prng prng)
    {
        string name = image.Keys.ElementAt(prng.Next(image.Count));
        byte[] bytes = image[name].ToArray();
        if (prng.Chance(0.05))
        {
            image.Remove(name);
            return;
        }

        int at = bytes.Length < SegmentFormat.EntriesOffset ? prng.Next(bytes.Length)
            : prng.Chance(0.7) && bytes.Length > SegmentFormat.EntriesOffset
                ? SegmentFormat.EntriesOffset + prng.Next(bytes.Length - SegmentFormat.EntriesOffset)
                : prng.Next(SegmentFormat.IdentifiersOffset + 200);
        int length = Math.Min(prng.Chance(0.5) ? 1 : 64, bytes.Length - at);
        if (prng.Chance(0.5))
        {
            bytes.AsSpan(at, length).Clear();
        }
        else
        {
            prng.Fill(bytes.AsSpan(at, length));
        }

        image[name] = bytes;
    }

    private void Check(RepairCluster.Member member, int m, string where)
    {
        foreach (RepairOutcome done in member.Done)
        {
            Count(done.Step.ToString());
            Assert.True(done.Step != RepairStep.Cut || m == 2 ? done.From is 0 or > 9 : done.From > Committed, $"{where}: {done}");
        }

        if (!member.IsWhole)
        {
            Count(member.Refusal is MemberLostException ? "lost" : member.Refusal is not null ? "refused" : "waits");
            return;
        }

        Count("whole");
        LogRecovery found = member.Found!;
        ulong had = m switch { 0 or 1 => Committed, _ => 9ul };
        Assert.True(found.LastIndex >= had, $"{where}: {found.LastIndex} is the last, {had} were committed");
        foreach (LogEntry entry in found.Entries)
        {
            bool own = m == 2 && entry.Index is >= 10 and <= 13 && entry.Term == 1;
            Assert.True(own || entry.Term == TermAt(entry.Index), $"{where}: entry {entry.Index} of term {entry.Term}");
            LogEntry wanted = Entry(entry.Index, entry.Term);
            Assert.True(wanted.Kind == entry.Kind && wanted.Data.Span.SequenceEqual(entry.Data.Span), $"{where}: entry {entry.Index} differs");
        }

        Assert.True(
            found.Snapshot is not { } snapshot || snapshot.Data.Span.SequenceEqual(BitConverter.GetBytes(snapshot.Index)), $"{where}: the snapshot");
        using LogStore again = LogStore.OpenAs(new ModelFolder(member.Folder.Image()), RepairCluster.OptionsOf(member.Id), out LogRecovery second);
        Assert.True(second.LastIndex == found.LastIndex && second.Damaged.Count == 0, $"{where}, second start");
    }

    private void Count(string what) => seen[what] = seen.GetValueOrDefault(what) + 1;
}

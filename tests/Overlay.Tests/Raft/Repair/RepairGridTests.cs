using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Raft.Repair;

/// <summary>
/// The targeted corruption of Protocol-Aware Recovery (FAST '18, table 2): three members, a log of four entries, every
/// combination of damaged ones. Whatever is whole anywhere comes back; nothing that may be committed is cut off.
/// </summary>
public sealed class RepairGridTests
{
    private const int Entries = 4;
    private static readonly MemberId[] Ids = [new(1), new(2), new(3)];

    [Fact]
    public void Of_4096_combinations_2401_are_recovered_and_1695_wait()
    {
        LogRecovery[][] found = [.. Ids.Select(static id => Enumerable.Range(0, 1 << Entries).Select(mask => Found(id, mask)).ToArray())];
        (int recovered, int waiting) = (0, 0);
        for (int combination = 0; combination < 1 << (Entries * 3); combination++)
        {
            int[] masks = [.. Enumerable.Range(0, 3).Select(m => (combination >> (m * Entries)) & ((1 << Entries) - 1))];
            bool possible = (masks[0] & masks[1] & masks[2]) == 0;
            bool whole = Recover([.. masks.Select((mask, m) => found[m][mask])], combination);
            Assert.True(whole == possible, $"combination {combination:x3}");
            recovered += whole ? 1 : 0;
            waiting += whole ? 0 : 1;
        }

        Assert.Equal((2401, 1695), (recovered, waiting));
    }

    [Fact]
    public void A_sample_of_them_through_the_files()
    {
        (int whole, int waiting) = (0, 0);
        for (int combination = 5; combination < 1 << (Entries * 3); combination += 61)
        {
            using RepairCluster cluster = new();
            for (int m = 0; m < 3; m++)
            {
                cluster.Start(Ids[m], Image(Ids[m], (combination >> (m * Entries)) & ((1 << Entries) - 1)));
            }

            cluster.Settle();
            foreach (RepairCluster.Member member in cluster.Members.Values)
            {
                Assert.All(member.Done, static step => Assert.Equal(RepairStep.Write, step.Step));
                whole += member.IsWhole ? 1 : 0;
                waiting += member.IsWhole ? 0 : 1;
                if (member.IsWhole)
                {
                    using LogStore again = LogStore.OpenAs(
                        new ModelFolder(member.Folder.Image()), RepairCluster.OptionsOf(member.Id), out LogRecovery there);
                    Assert.Equal(Bytes(Sound(member.Id).Entries), Bytes(there.Entries));
                    Assert.Empty(there.Notes);
                }
            }
        }

        Assert.True(whole > 50 && waiting > 20, $"{whole} whole, {waiting} wait");
    }

    private static bool Recover(LogRecovery[] found, int combination)
    {
        LogRepair[] repairs = [.. found.Select(static (f, m) => new LogRepair(Ids[m], new(1, MemberId.None), f, Ids, new(), new(0)))];
        for (int round = 1; round <= 2; round++)
        {
            foreach (LogRepair repair in repairs)
            {
                foreach (RepairRequest request in repair.Advance(new(round * 1_000_000_000L)))
                {
                    repair.Receive(repairs[Array.IndexOf(Ids, request.To)].Source.Answer(request, request.Fence, isLeader: false));
                }
            }
        }

        for (int m = 0; m < 3; m++)
        {
            RepairOutcome outcome = repairs[m].Next(new(9_000_000_000));
            Assert.True(outcome.Step is RepairStep.Write or RepairStep.Waiting, $"combination {combination:x3}: {outcome}");
            Assert.Equal(outcome.Step == RepairStep.Write, repairs[m].Missing == 0);
            Assert.All(repairs[m].Right, static e => Assert.Equal(MemberLogModel.Entry(e.Index, e.Term).Data.ToArray(), e.Data.ToArray()));
        }

        return repairs.All(static r => r.Missing == 0);
    }

    private static LogRecovery Sound(MemberId id) => Found(id, 0);

    private static LogRecovery Found(MemberId id, int mask)
    {
        using LogStore log = LogStore.OpenAs(new ModelFolder(Image(id, mask)), RepairCluster.OptionsOf(id), out LogRecovery found);
        Assert.Equal(System.Numerics.BitOperations.PopCount((uint)mask), found.Damaged.Sum(static d => (int)(d.Last - d.First + 1)));
        return found;
    }

    /// <summary>A member's files, with the entries of the mask damaged: in the header, the data, or as a whole.</summary>
    private static SortedDictionary<string, ReadOnlyMemory<byte>> Image(MemberId id, int mask)
    {
        ModelFolder folder = new();
        using (LogStore log = LogStore.OpenAs(folder, RepairCluster.OptionsOf(id), out _))
        {
            log.WriteState(new(1, MemberId.None));
            log.Write(new(1, null, 0, Enumerable.Range(1, Entries).Select(static i => MemberLogModel.Entry((ulong)i, 1)).ToArray(), null));
        }

        SortedDictionary<string, ReadOnlyMemory<byte>> image = folder.Image();
        string name = LogNames.Segment(1, 1);
        byte[] bytes = image[name].ToArray();
        IReadOnlyList<int> offsets = SegmentScan.Of(image[name]).Offsets;
        for (int i = 0; i < Entries; i++)
        {
            if ((mask & (1 << i)) != 0)
            {
                int end = i + 1 < Entries ? offsets[i + 1] : bytes.Length;
                switch ((id.Value + (ulong)i) % 3)
                {
                    case 0:
                        bytes[offsets[i]] ^= 1;
                        break;
                    case 1:
                        bytes[offsets[i] + 28] ^= 0x80;
                        break;
                    default:
                        bytes.AsSpan(offsets[i], end - offsets[i]).Clear();
                        break;
                }
            }
        }

        image[name] = bytes;
        return image;
    }

    private static string Bytes(IEnumerable<LogEntry> entries) =>
        string.Join(' ', entries.Select(static e => $"{e.Index}/{e.Term}/{e.Kind}/{Convert.ToHexString(e.Data.Span)}"));
}

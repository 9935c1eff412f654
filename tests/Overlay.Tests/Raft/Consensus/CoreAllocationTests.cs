using Overlay.Primitives;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>In its stride the core allocates nothing, neither for an entry nor for a message nor for a read.</summary>
public sealed class CoreAllocationTests
{
    private static readonly byte[] Data = new byte[256];
    private readonly RaftCore[] cores = new RaftCore[3];
    private readonly RaftEffects[] effects = [new(), new(), new()];
    private Instant now = new(1_000_000_000);

    public CoreAllocationTests()
    {
        for (int i = 0; i < cores.Length; i++)
        {
            RaftRecovered found = new() { Configuration = RaftRig.Voters(1, 2, 3) };
            cores[i] = new(new(), new((ulong)i + 1), found, new((ulong)i), now);
        }

        cores[0].Campaign(now, effects[0]);
        Rest();
        Assert.Equal(RaftRole.Leader, cores[0].Role);
    }

    [Fact]
    public void Leader_and_followers_allocate_nothing_for_an_entry()
    {
        Assert.Equal(0, Allocations.Least(() =>
        {
            for (int round = 0; round < 500; round++)
            {
                Round();
            }
        }));
        Assert.All(cores, core => Assert.Equal(cores[0].LastIndex, core.AppliedIndex));
        Assert.True(cores[0].LastIndex > 24_000);
        Assert.True(cores[0].LastIndex - cores[0].FirstIndex < 2000);
    }

    private void Round()
    {
        for (int i = 0; i < 8; i++)
        {
            cores[0].Propose(Data);
        }

        cores[0].Read(1, now, effects[0]);
        cores[1].Read(2, now, effects[1]);
        now += TimeSpan.FromMilliseconds(20);
        Rest();
        foreach (RaftCore core in cores)
        {
            if (core.AppliedIndex > 1000)
            {
                core.Compact(new(core.AppliedIndex, core.TermAt(core.AppliedIndex)), core.AppliedIndex - 500);
            }
        }
    }

    /// <summary>The disks complete everything, the network delivers everything, until nothing is left.</summary>
    private void Rest()
    {
        bool isBusy = true;
        while (isBusy)
        {
            isBusy = false;
            for (int i = 0; i < cores.Length; i++)
            {
                isBusy |= Perform(cores[i], effects[i]);
            }
        }
    }

    private bool Perform(RaftCore core, RaftEffects own)
    {
        core.Advance(now, own);
        bool isBusy = !own.IsEmpty;
        ulong written = own.Writes.Count == 0 ? 0 : own.Writes[^1].Number;
        ulong applied = own.Apply is { } batch ? batch.Entries.Span[^1].Index : 0;
        foreach (RaftMessage message in own.Messages)
        {
            int to = (int)message.To.Value - 1;
            cores[to].Receive(message, now, effects[to]);
        }

        own.Clear();
        if (written > 0)
        {
            core.Completed(written, now, own);
        }

        if (applied > 0)
        {
            core.Applied(applied, applied * 31, now, own);
        }

        return isBusy;
    }
}

using Overlay.Daemon.Manager.Repair;
using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Raft.Repair;

namespace Overlay.Simulation.Whole;

/// <summary>Getting back from the others what its disk has lost, before it takes part again; and answering who does that.</summary>
internal sealed partial class WholeNode
{
    private static readonly RepairOptions Patience = new() { Interval = TimeSpan.FromMilliseconds(300), SnapshotAfter = TimeSpan.FromSeconds(1) };

    private LogRecovery? damaged;

    /// <summary>It recovers: it does not vote, acknowledge or campaign.</summary>
    public DamagedLog? Repair { get; private set; }

    private void BeginRepair(LogRecovery found)
    {
        damaged = found;
        clock = new(time);
        Repair = new(log!, found, [.. World.Nodes.Where(n => n != this).Select(static n => n.Id)], Patience, clock.Now);
        Judge(found);
        AskPeers();
    }

    private void Judge(LogRecovery found)
    {
        foreach (LogEntry entry in found.Entries)
        {
            WholeWatch.Require(World.Truth.IsGenuine(entry), this, $"entry {entry.Index} is called whole and is not");
        }
    }

    private void AskPeers()
    {
        if (Repair is null)
        {
            return;
        }

        int life = Life;
        foreach (RepairRequest request in Repair.Advance(clock.Now))
        {
            WholeNode other = World.Nodes[SlotOf(request.To)];
            World.Network.Send(Slot, other.Slot, 100, () => other.Answer(request, this, life));
        }

        Act();
        if (Repair is not null)
        {
            Later(Math.Max(WholeSwarm.Millisecond, time.After(Repair.NextDeadline - clock.Now) - World.Now), AskPeers);
        }
    }

    private void Answer(RepairRequest request, WholeNode asker, int life)
    {
        if (Id != request.To || PausedUntil > World.Now)
        {
            return;
        }

        RepairReply reply;
        if (Repair is not null)
        {
            RepairReply? told = null;
            if (!TryWrite(() => told = Repair.Answer(request)))
            {
                return;
            }

            Durable.State = log!.State;
            reply = told!;
        }
        else if (IsUp)
        {
            reply = Loop!.Engine.Answer(request);
            Poke();
        }
        else
        {
            return;
        }

        World.Network.Send(Slot, asker.Slot, 1000, () =>
        {
            if (asker.Life == life && asker.Repair is { } repair)
            {
                repair.Receive(reply);
                asker.Act();
            }
        });
    }

    private void Act()
    {
        RepairOutcome outcome = Repair!.Next(clock.Now);
        switch (outcome.Step)
        {
            case RepairStep.Waiting:
                World.Counters.Add(WholeSometimes.RepairWaited);
                break;
            case RepairStep.TakeSnapshot:
                FetchSnapshot(outcome.Member);
                break;
            default:
                Write(outcome);
                break;
        }
    }

    private void Write(RepairOutcome outcome)
    {
        Say($"repairs: {outcome}");
        if (outcome.Step == RepairStep.Cut)
        {
            ulong term = damaged!.Terms.TermOf(outcome.From);
            WholeWatch.Require(
                outcome.From > World.Truth.Last || (term != 0 && World.Truth[outcome.From].Entry.Term != term), this,
                $"repair cuts entry {outcome.From} of term {term}, which was decided");
        }

        if (TryWrite(() => Repair!.Write(outcome, clock.Now)))
        {
            World.Counters.Add(outcome.Step == RepairStep.Cut ? WholeSometimes.RepairedByCut : WholeSometimes.RepairedByEntries);
            Repaired();
        }
    }

    private void FetchSnapshot(MemberId member)
    {
        WholeNode other = World.Nodes[SlotOf(member)];
        int life = Life;
        World.Network.Send(Slot, other.Slot, 100, () =>
        {
            LogSnapshot? snapshot = other.Id != member ? null : other.IsUp ? other.Loop!.Engine.Capture()() : other.damaged?.Snapshot;
            if (snapshot is not null)
            {
                World.Network.Send(other.Slot, Slot, snapshot.Data.Length, () => Adopt(life, snapshot));
            }
        });
    }

    private void Adopt(int life, LogSnapshot snapshot)
    {
        bool taken = false;
        if (Life == life && Repair is not null && TryWrite(() => taken = Repair.Adopt(snapshot, clock.Now)) && taken)
        {
            Say($"takes the snapshot of {snapshot.Mark}");
            World.Counters.Add(WholeSometimes.RepairedBySnapshot);
            Repaired();
        }
    }

    private void Repaired()
    {
        LogRecovery found = Repair!.Found;
        TakeDurable(found);
        damaged = found;
        if (Repair.IsWhole)
        {
            Run(found);
        }
        else
        {
            Judge(found);
        }
    }

    private bool TryWrite(Action write)
    {
        if (World.Swarm.CrashesAtStart && !World.IsCalm && prng.Chance(0.2))
        {
            Disk.Fuse = prng.Next(12);
        }

        try
        {
            write();
            Disk.Fuse = -1;
            return true;
        }
        catch (SimCrashException)
        {
            World.Counters.Add(WholeSometimes.CrashAtStart);
            Say("stops inside a repair");
            Ended(power: prng.Chance(0.6));
        }
        catch (StorageWriteException e)
        {
            Say($"cannot repair: {e.Message}");
            Ended(power: false);
        }

        return false;
    }
}

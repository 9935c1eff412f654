using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Raft;

/// <summary>What surrounds a core: it performs the effects and brings the answers of disk, network and state machine.</summary>
internal sealed partial class RaftShell(RaftWorld world, Prng disks, Prng timers, Prng seeds)
{
    private readonly RaftEffects effects = new();

    public void Start(RaftSimNode node)
    {
        RaftDisk disk = node.Disk;
        node.Life++;
        node.Applied = disk.Snapshot.Mark.Index;
        node.SnapshotAt = node.Applied;
        if (disk.Entries.Count > 0)
        {
            world.Counters.Add(RaftSometimes.RestartWithTail);
        }

        Say(node, $"starts with {disk.State}, snapshot {disk.Snapshot.Mark}, entries {disk.FirstIndex}..{disk.LastIndex}");
        RaftRecovered found = new()
        {
            State = disk.State,
            Snapshot = disk.Snapshot.Mark,
            Configuration = disk.Snapshot.Configuration,
            Entries = [.. disk.Entries],
            Applied = node.Applied,
        };
        node.Core = new(world.Swarm.Options, node.Id, found, new(seeds.NextUInt64()), Clock(node));
        world.Watch.Started(node);
        Perform(node);
    }

    public void Crash(RaftSimNode node)
    {
        RaftDisk disk = node.Disk;
        if (node.IsLeading && disk.HasPendingEntries)
        {
            world.Counters.Add(RaftSometimes.LeaderCrashedWithUnsyncedEntry);
        }

        if (disk.HasPendingVote)
        {
            world.Counters.Add(RaftSometimes.CrashBetweenVoteAndDisk);
        }

        if (disk.Pending > 0)
        {
            world.Counters.Add(RaftSometimes.CrashLostWrites);
        }

        if (disk.Crash(disks, world.Swarm.Torn))
        {
            world.Counters.Add(RaftSometimes.CrashKeptPartOfWrite);
        }

        Say(node, $"crashes; {disk.State}, snapshot {disk.Snapshot.Mark}, entries {disk.FirstIndex}..{disk.LastIndex} are left");
        node.Forget();
    }

    public void Happen(RaftSimNode node, in RaftEvent item)
    {
        switch (item.Kind)
        {
            case RaftEventKind.Timer:
                if (item.At >= node.TimerAt)
                {
                    node.TimerAt = long.MaxValue;
                }

                Settle(node);
                break;
            case RaftEventKind.DiskDone:
                DiskDone(node);
                break;
            case RaftEventKind.ApplyDone:
                node.IsApplying = false;
                Apply(node);
                Report(node);
                Settle(node);
                break;
            case RaftEventKind.SnapshotWritten:
                SnapshotWritten(node, item.Argument);
                break;
            case RaftEventKind.SnapshotReport:
                node.Core!.SnapshotSent(new(item.Argument >> 1), (item.Argument & 1) != 0);
                Perform(node);
                break;
            case RaftEventKind.Unreachable:
                node.Core!.Unreachable(new(item.Argument));
                Perform(node);
                break;
            case RaftEventKind.LeaderGone:
                if (node.Core!.Leader == new MemberId(item.Argument))
                {
                    node.Core.ForgetLeader(Clock(node), effects);
                    Perform(node);
                }

                break;
        }
    }

    public void Deliver(RaftSimNode node, int number)
    {
        Envelope envelope = envelopes[number];
        envelopes[number] = default;
        free.Push(number);
        RaftMessage message = envelope.Message;
        bool arrives = node.IsUp && node.Id == message.To;
        if (envelope.Snapshot is { } snapshot)
        {
            ReportSnapshot(envelope, message.To, arrives);
            if (arrives)
            {
                node.Received.Add(snapshot);
            }
        }

        if (!arrives)
        {
            if (node.Id != message.To)
            {
                world.Counters.Add(RaftSometimes.MessageToOldLifeOfWiped);
            }

            return;
        }

        if (envelope.ReceiverLife != node.Life)
        {
            world.Counters.Add(RaftSometimes.OldMessageToNewLife);
        }

        if (world.Trace)
        {
            Say(node, $"<- {Show(message)}");
        }

        node.Core!.Receive(message, Clock(node), effects);
        Perform(node);
    }

    /// <param name="taken">Called with the outcome before its effects are performed.</param>
    public void Propose(RaftSimNode node, byte[] data, Action<ProposeOutcome> taken)
    {
        taken(node.Core!.Propose(data));
        Perform(node);
    }

    public void Read(RaftSimNode node, ulong context)
    {
        node.Core!.Read(context, Clock(node), effects);
        Perform(node);
    }

    public ProposeOutcome Change(RaftSimNode node, ReadOnlySpan<MemberChange> changes, ChangeMode mode)
    {
        ProposeOutcome outcome = node.Core!.ProposeConfiguration(changes, mode);
        Perform(node);
        return outcome;
    }

    public ProposeOutcome LeaveJoint(RaftSimNode node)
    {
        ProposeOutcome outcome = node.Core!.ProposeLeaveJoint();
        Perform(node);
        return outcome;
    }

    public void Transfer(RaftSimNode node, MemberId target)
    {
        node.Core!.TransferTo(target, Clock(node), effects);
        Perform(node);
    }

    private Instant Clock(RaftSimNode node) => node.Clock(world.Now);

    /// <summary>An input was given. Mostly the core advances at once; sometimes more input comes in between.</summary>
    private void Perform(RaftSimNode node)
    {
        world.Watch.After(node);
        if (timers.Next(16) != 0)
        {
            Settle(node);
            return;
        }

        if (Effects(node))
        {
            Settle(node);
            return;
        }

        Wind(node);
    }

    /// <summary>Advances and does what the effects say, until nothing is left to do.</summary>
    private void Settle(RaftSimNode node)
    {
        if (node.SeenLeading && node.Disk.OldestBegun < world.Now - RaftSwarm.Second)
        {
            world.Counters.Add(RaftSometimes.LeaderWithHungDisk);
        }

        do
        {
            node.Core!.Advance(Clock(node), effects);
            world.Watch.After(node);
        }
        while (Effects(node));
        Wind(node);
    }

    /// <summary>True: the core was told that something is applied.</summary>
    private bool Effects(RaftSimNode node)
    {
        RaftWatch.Require(effects.Diverged.Count == 0, node, $"state machines differ: {string.Join(' ', effects.Diverged)}");
        foreach (LogWrite write in effects.Writes)
        {
            Write(node, write);
        }

        foreach (RaftMessage message in effects.Messages)
        {
            world.Watch.Send(node, message);
            Send(node, message, null);
        }

        foreach (RaftMessage wanted in effects.SnapshotsWanted)
        {
            world.Watch.Send(node, wanted);
            SendSnapshot(node, wanted);
        }

        foreach (ReadResult read in effects.Reads)
        {
            world.Clients.ReadReady(node, read);
        }

        if (effects.ConfigurationChanged || node.SeenApplied != node.Applied)
        {
            node.SeenApplied = node.Applied;
            world.Watch.ConfigurationChecked(node);
        }

        if (effects.RoleChanged && world.Trace)
        {
            Say(node, $"is {node.Core!.Role} in term {node.Core.Term}, leader {node.Core.Leader}");
        }

        ApplyBatch? batch = effects.Apply;
        SnapshotMark? restore = effects.Restore;
        effects.Clear();
        if (restore is { } mark)
        {
            Restore(node, mark);
        }
        else if (batch is { } apply)
        {
            RaftWatch.Require(node.Batch.IsEmpty && !apply.Entries.IsEmpty, node, $"a batch to apply before the last is done, or an empty one");
            node.Batch = apply.Entries;
            if (world.Swarm.SlowApply && !world.Network.IsHealed && timers.Chance(0.3))
            {
                node.IsApplying = true;
                world.Later(timers.Next(400) * RaftSwarm.Millisecond, RaftEventKind.ApplyDone, node.Slot, node.Life);
                return false;
            }
        }

        if (restore is null && (node.Batch.IsEmpty || node.IsApplying))
        {
            return false;
        }

        if (restore is null)
        {
            Apply(node);
        }

        Report(node);
        return true;
    }

    private void Wind(RaftSimNode node)
    {
        Instant deadline = node.Core!.NextDeadline;
        if (deadline == Instant.Never)
        {
            return;
        }

        long at = Math.Max(node.WhenShows(deadline, world.Now), world.Now + 1);
        if (at < node.TimerAt)
        {
            if (world.Swarm.LateTimers && !world.Network.IsHealed && timers.Chance(0.1))
            {
                at += (long)(timers.NextDouble() * 0.5 * RaftSwarm.Second);
            }

            node.TimerAt = at;
            world.Later(at - world.Now, RaftEventKind.Timer, node.Slot, node.Life);
        }
    }

    private void Write(RaftSimNode node, in LogWrite write)
    {
        world.Watch.Write(node, write);
        RaftSnapshot? install = null;
        if (write.Install is { } mark)
        {
            install = node.Received.FirstOrDefault(s => s.Mark == mark);
            RaftWatch.Require(install is not null, node, $"it installs {mark}, which it has not received");
            if (install!.Configuration.IsJoint)
            {
                world.Counters.Add(RaftSometimes.SnapshotInstalledWhileJoint);
            }
        }

        RaftSwarm swarm = world.Swarm;
        long slowest = world.Network.IsHealed ? Math.Min(swarm.DiskMax, 2 * RaftSwarm.Millisecond) : swarm.DiskMax;
        long delay = swarm.DiskMin + (long)((slowest - swarm.DiskMin) * disks.NextDouble());
        if (node.SlowDiskUntil > world.Now)
        {
            delay += (long)((node.SlowDiskUntil - world.Now) * disks.NextDouble());
        }

        if (world.Trace)
        {
            Say(node, $"writes {write.Number}: {write.State} cut {write.TruncateFrom} entries {write.Entries.Length} install {write.Install}");
        }

        long at = Math.Max(world.Now + delay, node.Disk.LastDone);
        node.Disk.Begin(write, install, world.Now, at);
        world.Later(at - world.Now, RaftEventKind.DiskDone, node.Slot, node.Life);
    }

    private void DiskDone(RaftSimNode node)
    {
        ulong number = node.Disk.Finish(world.Now);
        if (number != 0)
        {
            node.Core!.Completed(number, Clock(node), effects);
            Perform(node);
        }
    }

    private void Apply(RaftSimNode node)
    {
        // Sometimes the state machine reports a part first.
        ReadOnlyMemory<LogEntry> batch = node.Batch;
        int count = batch.Length > 1 && timers.Chance(0.05) ? 1 + timers.Next(batch.Length) : batch.Length;
        foreach (ref readonly LogEntry entry in batch.Span[..count])
        {
            world.Watch.ApplyChecked(node, entry);
            node.Applied = entry.Index;
            world.Clients.Applied(node, entry);
        }

        node.Batch = batch[count..];
        world.Clients.Ripen(node);
    }

    private void Report(RaftSimNode node)
    {
        node.Core!.Applied(node.Applied, world.Log.HashAt(node.Applied), Clock(node), effects);
        Snapshot(node);
    }

    private void Restore(RaftSimNode node, SnapshotMark mark)
    {
        RaftWatch.Require(node.Disk.Snapshot.Mark == mark, node, $"it restores {mark}, on its disk is {node.Disk.Snapshot.Mark}");
        RaftWatch.Require(mark.Index >= node.Applied, node, $"it restores {mark} with {node.Applied} applied");
        RaftWatch.Require(node.Batch.IsEmpty, node, $"it restores {mark} while a batch is being applied");
        node.Received.RemoveAll(s => s.Mark.Index <= mark.Index);
        node.Applied = mark.Index;
        node.SnapshotAt = mark.Index;
        world.Clients.Ripen(node);
    }

    private void Snapshot(RaftSimNode node)
    {
        if (world.Swarm.Snapshots && !node.IsSnapshotting && node.Applied >= node.SnapshotAt + (ulong)world.Swarm.SnapshotEvery)
        {
            node.IsSnapshotting = true;
            world.Later(disks.Next(100) * RaftSwarm.Millisecond, RaftEventKind.SnapshotWritten, node.Slot, node.Life, node.Applied);
        }
    }

    private void SnapshotWritten(RaftSimNode node, ulong index)
    {
        node.IsSnapshotting = false;
        node.SnapshotAt = Math.Max(node.SnapshotAt, index);
        if (index <= node.Disk.Snapshot.Mark.Index)
        {
            return;
        }

        world.Counters.Add(RaftSometimes.SnapshotTaken);
        SnapshotMark mark = new(index, world.Log.TermAt(index));
        ulong keepFrom = Math.Max(node.Disk.FirstIndex, index + 1 - Math.Min(index, (ulong)world.Swarm.SnapshotKeep));
        node.Disk.Save(new(mark, world.Log.ConfigurationAt(index), world.Log.HashAt(index)), keepFrom);
        node.Core!.Compact(mark, keepFrom);
        Perform(node);
    }

    private void Say(RaftSimNode node, string text)
    {
        if (world.Trace)
        {
            world.Say($"{node} {text}");
        }
    }
}

using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>What the core asks for.</summary>
internal sealed partial class ConsensusLoop
{
    /// <summary>Snapshots that came and are not installed yet, by their index.</summary>
    private readonly SortedDictionary<ulong, LogSnapshot> received = [];

    private readonly CancellationTokenSource sending = new();
    private SnapshotMark lastApplied;
    private ulong lastSnapshot;
    private ulong snapshotDue;
    private bool snapshotting;

    private void Perform(RaftEffects current)
    {
        // The disk works while the messages are written, which takes a processor.
        foreach (LogWrite write in current.Writes)
        {
            disk.Write(write, write.Install is { } mark ? received[mark.Index] : null);
        }

        foreach (ref readonly RaftMessage message in CollectionsMarshal.AsSpan(current.Messages))
        {
            if (links?.TrySend(message.To, LaneOf(message.Kind), message) != true && message.Kind == MessageKind.Append)
            {
                core.Unreachable(message.To);
            }
        }

        if (current.Diverged is [var divergence, ..])
        {
            throw new DivergedException(divergence);
        }

        if (current.RoleChanged || current.ConfigurationChanged)
        {
            TellRole(current.RoleChanged);
        }

        if (current.Restore is { } restored)
        {
            Restore(restored);
        }

        if (current.Apply is { } batch)
        {
            Apply(batch);
        }

        foreach (ReadResult read in current.Reads)
        {
            machine.Answer(read);
        }

        foreach (RaftMessage wanted in current.SnapshotsWanted)
        {
            SendSnapshot(wanted);
        }
    }

    private static RaftLane LaneOf(MessageKind kind) =>
        kind is MessageKind.Append or MessageKind.AppendResponse ? RaftLane.Bulk : RaftLane.Urgent;

    private void TellRole(bool isNews)
    {
        EngineView now = ViewNow();
        view = new(now);
        configuration = core.Configuration;
        machine.RoleChanged(now);
        if (isNews)
        {
            campaignAt = now.Leader.IsNone ? campaignAt : Instant.Never;
            if (!now.IsAlone)
            {
                LogRole(now.Role, now.Term, now.Leader);
            }
        }
    }

    private void Apply(ApplyBatch batch)
    {
        int count = batch.Entries.Length;
        for (int i = 0; i < count; i++)
        {
            LogEntry entry = batch.Entries.Span[i];
            machine.Apply(entry);
            lastApplied = new(entry.Index, entry.Term);
            core.Applied(entry.Index, machine.Hash, clock.Now, effects);
        }

        machine.Applied(lastApplied.Index);
        if (lastApplied.Index >= snapshotDue && !snapshotting)
        {
            SnapshotIfWorthIt();
        }
    }

    private void Restore(SnapshotMark mark)
    {
        LogSnapshot snapshot = received[mark.Index];
        machine.Restore(snapshot);
        lastApplied = mark;
        lastSnapshot = mark.Index;
        snapshotDue = mark.Index + (ulong)setup.SnapshotEvery;
        foreach (ulong old in received.Keys.Where(i => i <= mark.Index).ToArray())
        {
            received.Remove(old);
        }

        LogRestored(mark.Index);
        core.Applied(mark.Index, machine.Hash, clock.Now, effects);
        machine.Applied(mark.Index);
    }

    private void SnapshotIfWorthIt()
    {
        ulong due = SnapshotPace.Due(lastSnapshot, setup.SnapshotEvery, machine.Objects);
        if (lastApplied.Index >= due)
        {
            SaveSnapshot();
        }
        else
        {
            snapshotDue = due;
        }
    }

    /// <summary>The state is captured here; its bytes are made and written elsewhere.</summary>
    private void SaveSnapshot()
    {
        snapshotting = true;
        SnapshotMark mark = lastApplied;
        Raft.Configuration members = core.Configuration;
        Func<byte[]> encode = machine.Capture();
        _ = setup.Beside(() =>
        {
            try
            {
                disk.Save(
                    new(mark.Index, mark.Term, encode()) { Configuration = members },
                    saved => Tell(() => Saved(mark, saved)));
            }
            catch (Exception e)
            {
                Tell(() => throw new InvariantException($"a snapshot can be encoded ({e.Message})"));
            }

            return Task.CompletedTask;
        });
    }

    private void Saved(SnapshotMark mark, bool isSaved)
    {
        snapshotting = false;
        if (!isSaved)
        {
            snapshotDue = lastApplied.Index + Math.Max(1, (ulong)setup.SnapshotEvery / 16);
            return;
        }

        snapshotDue = mark.Index + (ulong)setup.SnapshotEvery;
        if (mark.Index > core.Snapshot.Index)
        {
            // What is behind the older of two snapshots stays, on disk and here.
            core.Compact(mark, Math.Min(lastSnapshot, mark.Index) + 1);
            lastSnapshot = mark.Index;
        }
    }

    /// <summary>The present state serves as well as the last snapshot on disk, and is nearer to the log's end.</summary>
    private void SendSnapshot(in RaftMessage wanted)
    {
        MemberId to = wanted.To;
        RaftMessage announcement = wanted with { Snapshot = lastApplied, Configuration = core.Configuration };
        Func<byte[]> encode = machine.Capture();
        CancellationToken cancellationToken = sending.Token;
        _ = setup.Beside(async () =>
        {
            bool sent = links is not null && await links.SendSnapshotAsync(to, announcement, encode(), cancellationToken);
            Tell(() => core.SnapshotSent(to, sent));
        });
    }

    [LoggerMessage(EventId = 750, Level = LogLevel.Information, Message = "This manager is {Role} in term {Term}, the leader is {Leader}")]
    private partial void LogRole(RaftRole role, ulong term, MemberId leader);

    [LoggerMessage(EventId = 751, Level = LogLevel.Information, Message = "The store was taken from another manager, up to entry {Index}")]
    private partial void LogRestored(ulong index);
}

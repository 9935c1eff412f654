using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>What goes to the disk, what its completion allows, and what is then applied.</summary>
public sealed partial class RaftCore
{
    private LogEntry[] batch = [];
    private int batchCount;
    private int batchApplied;

    /// <summary>The last entry that the shell was given to apply.</summary>
    private ulong handedOut;

    /// <summary>A durable snapshot that the state machine does not have yet.</summary>
    private SnapshotMark? restoring;

    /// <summary>The one that the shell is loading.</summary>
    private SnapshotMark? restoreOpen;

    private bool IsApplyOpen => batchCount > 0 || restoreOpen is not null;

    private bool IsApplyDue =>
        !IsApplyOpen && (restoring is not null || ApplyLimit() > handedOut);

    /// <summary>
    /// The state machine has applied everything up to the entry. Best called for each entry: the more indexes have a hash,
    /// the more can be compared.
    /// </summary>
    /// <param name="stateHash">Of the whole state after that entry; equal on all members that have applied it.</param>
    public void Applied(ulong index, ulong stateHash, Instant at, RaftEffects into)
    {
        Begin(at, into);
        if (restoreOpen is { } mark)
        {
            Invariant.Holds(mark.Index == index, "the snapshot that was loaded is the one that was asked for");
            restoring = restoring == mark ? null : restoring;
            restoreOpen = null;
            handedOut = index;
            ReportApplied(index, stateHash);
            return;
        }

        Invariant.Holds(
            batchCount > 0 && index >= batch[batchApplied].Index && index <= handedOut, "what is applied was handed out");

        log.AppliedTo(index);
        while (batchApplied < batchCount && batch[batchApplied].Index <= index)
        {
            ref readonly LogEntry entry = ref batch[batchApplied++];
            if (entry.Kind == EntryKind.Configuration)
            {
                ApplyConfiguration(entry);
            }
        }

        if (batchApplied == batchCount)
        {
            batch.AsSpan(0, batchCount).Clear();
            batchCount = 0;
            batchApplied = 0;
        }

        ReportApplied(index, stateHash);
        NoteChanges();
    }

    /// <summary>What is committed and durable, but no change of members before it is durable that it is committed.</summary>
    private ulong ApplyLimit()
    {
        ulong limit = Math.Min(log.Commit, log.Durable);
        if (durableState.Committed >= state.Committed)
        {
            return limit;
        }

        for (ulong index = Math.Max(handedOut + 1, log.First); index <= limit; index++)
        {
            if (index > durableState.Committed && log.At(index).Kind == EntryKind.Configuration)
            {
                return index - 1;
            }
        }

        return limit;
    }

    private void ReportApplied(ulong index, ulong stateHash)
    {
        log.AppliedTo(index);
        if (hashes.Add(index, stateHash) is { } divergence)
        {
            effects.Diverged.Add(divergence);
        }
    }

    private void CutWrite()
    {
        if (HasDirt && !writes.IsFull)
        {
            HardState? changed = state == issuedState ? null : state;
            effects.Writes.Add(writes.Cut(log, changed, now));
            issuedState = state;
        }
    }

    private void CompleteOldest()
    {
        (ulong durableTo, HardState? written, SnapshotMark? install) = writes.Complete();
        log.DurableTo(durableTo);
        durableState = written ?? durableState;
        restoring = install ?? restoring;
        if (role == RaftRole.Leader && members.Self is { } own)
        {
            own.Own(log.Durable);
            CommitMore();
        }

        CountOwnVote();
    }

    private void OpenApply()
    {
        if (!IsApplyDue)
        {
            return;
        }

        if (restoring is { } mark)
        {
            restoreOpen = mark;
            effects.Restore = mark;
            return;
        }

        batchCount = log.Count(handedOut + 1, ApplyLimit(), options.MaxApplyBytes, options.MaxApplyEntries, out _);
        if (batch.Length < batchCount)
        {
            batch = new LogEntry[Math.Max(64, 2 * batchCount)];
        }

        log.CopyTo(handedOut + 1, batch.AsSpan(0, batchCount));
        handedOut += (ulong)batchCount;
        effects.Apply = new(batch.AsMemory(0, batchCount));
    }
}

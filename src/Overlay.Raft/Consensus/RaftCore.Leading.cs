using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>What a leader does by the clock, what it takes in, and what it commits.</summary>
public sealed partial class RaftCore
{
    private Instant heartbeatDeadline;
    private Instant quorumDeadline;
    private long uncommittedBytes;

    /// <summary>Members may have to hear of new entries or a new commit index.</summary>
    private bool appendsDue;

    /// <summary>Entries' data that is proposed and not committed.</summary>
    public long UncommittedBytes => uncommittedBytes;

    /// <summary>Only then the commit index is known to be the newest there is (Raft, 8).</summary>
    private bool HasCommittedInTerm => log.TryTerm(log.Commit, out ulong term) && term == state.Term;

    private Instant LeaderDeadline =>
        Instant.Min(
            Instant.Min(heartbeatDeadline, options.CheckQuorum ? quorumDeadline : Instant.Never),
            Instant.Min(DiskDeadline, transferTarget.IsNone ? Instant.Never : transferDeadline));

    /// <summary>Whoever votes alone has nobody to leave the leadership to.</summary>
    private Instant DiskDeadline => members.Configuration.IsOnlyVoter(self) ? Instant.Never : writes.OldestIssued + options.ElectionTimeout;

    private bool IsDiskHanging => now >= DiskDeadline;

    /// <summary>
    /// The command goes into the log if this member leads. Whether it is decided is known when the entry of that index is
    /// applied: by its term it is this one or another.
    /// </summary>
    /// <param name="data">Must not change any more.</param>
    public ProposeOutcome Propose(ReadOnlyMemory<byte> data)
    {
        ProposeStatus refusal = role != RaftRole.Leader ? ProposeStatus.NotLeader
            : !transferTarget.IsNone ? ProposeStatus.Transferring
            : !data.IsEmpty && uncommittedBytes >= options.MaxUncommittedBytes ? ProposeStatus.TooMuchUncommitted
            : ProposeStatus.Accepted;
        return refusal == ProposeStatus.Accepted ? Propose(EntryKind.Data, data) : Refused(refusal);
    }

    private ProposeOutcome Propose(EntryKind kind, ReadOnlyMemory<byte> data)
    {
        log.Append(new(log.Last + 1, state.Term, kind, data));
        uncommittedBytes += data.Length;
        appendsDue = true;
        return new(ProposeStatus.Accepted, log.Last, state.Term, self);
    }

    private ProposeOutcome Refused(ProposeStatus status, string? reason = null) => new(status, 0, state.Term, leader, reason);

    private void FireLeader()
    {
        if (IsDiskHanging)
        {
            LeaveToOthers();
            return;
        }

        if (options.CheckQuorum && now >= quorumDeadline && !CheckMajority())
        {
            return;
        }

        if (!transferTarget.IsNone && now >= transferDeadline)
        {
            transferTarget = MemberId.None;
        }

        if (now >= heartbeatDeadline)
        {
            SendHeartbeats();
        }
    }

    /// <summary>A disk that hangs would hold every write of the cluster: another one shall lead, at once if it can.</summary>
    private void LeaveToOthers()
    {
        foreach (Progress progress in members.All)
        {
            if (progress.Member != self && members.Configuration.IsVoter(progress.Member) && progress.IsRecentlyActive
                && progress.Match == log.Last)
            {
                Send(new() { Kind = MessageKind.TimeoutNow, To = progress.Member });
                break;
            }
        }

        Follow(state.Term, MemberId.None);
    }

    private bool CheckMajority()
    {
        quorumDeadline = now + options.ElectionTimeout;
        if (!members.IsMajorityActive())
        {
            Follow(state.Term, MemberId.None);
            return false;
        }

        foreach (Progress progress in members.All)
        {
            progress.IsRecentlyActive = progress.Member == self;
        }

        return true;
    }

    private void SendHeartbeats()
    {
        heartbeatDeadline = now + options.HeartbeatInterval;
        foreach (Progress progress in members.All)
        {
            if (progress.Member != self)
            {
                SendHeartbeat(progress);
            }
        }
    }

    private void SendHeartbeat(Progress progress)
    {
        // What it has not acknowledged it may not have, or have otherwise.
        progress.SentCommit = Math.Min(progress.Match, log.Commit);
        Send(new()
        {
            Kind = MessageKind.Heartbeat,
            To = progress.Member,
            Commit = progress.SentCommit,
            Context = roundPosition,
            AppliedIndex = hashes.Newest.Index,
            StateHash = hashes.Newest.Hash,
        });
    }

    private void TakeHeartbeatResponse(in RaftMessage message)
    {
        if (members.Find(message.From) is not { } progress)
        {
            return;
        }

        progress.IsRecentlyActive = true;
        progress.IsHeldBack = false;
        if (progress.Match < log.Last || progress.State == ProgressState.Probe)
        {
            // A refusal of it tells of entries that were lost on the way.
            SendAppend(progress, evenEmpty: true);
        }

        if (message.Context > progress.ReadPosition)
        {
            progress.ReadPosition = Math.Min(message.Context, roundPosition);
            ConfirmRound();
        }
    }

    private void TakeAppendResponse(in RaftMessage message)
    {
        if (members.Find(message.From) is not { } progress)
        {
            return;
        }

        progress.IsRecentlyActive = true;
        if (message.Reject)
        {
            TakeRefusal(progress, message);
            return;
        }

        if (message.Index > log.Last)
        {
            Invariant.Holds(false, $"{message.From} acknowledges entry {message.Index} of term {state.Term}, which ends with {log.Last}");
        }

        if (!progress.Acknowledge(message.Index) && !(progress.Match == message.Index && progress.State == ProgressState.Probe))
        {
            return;
        }

        switch (progress.State)
        {
            case ProgressState.Probe:
            case ProgressState.Snapshot when progress.Match + 1 >= log.First:
                progress.Replicate();
                break;
            case ProgressState.Replicate:
                progress.Inflight.FreeTo(message.Index);
                break;
        }

        CommitMore();
        appendsDue = true;
        if (message.From == transferTarget && progress.Match == log.Last)
        {
            Send(new() { Kind = MessageKind.TimeoutNow, To = transferTarget });
        }
    }

    /// <summary>Both sides skip whole terms: one round for each term that differs, not for each entry (Raft, 5.3).</summary>
    private void TakeRefusal(Progress progress, in RaftMessage message)
    {
        ulong hint = message.LogTerm > 0 ? log.LastAtMost(message.RejectHint, message.LogTerm).Index : message.RejectHint;
        if (!progress.Refuse(message.Index, hint))
        {
            return;
        }

        if (progress.State == ProgressState.Replicate)
        {
            progress.Probe();
        }

        SendAppend(progress, evenEmpty: true);
    }

    /// <summary>
    /// What a majority has on its disks is committed, if it is of this term: an entry of an earlier one could still be
    /// overwritten, and is committed only together with a later one of this (Raft, 5.4.2).
    /// </summary>
    private void CommitMore()
    {
        ulong index = members.Committed();
        if (index <= log.Commit || !log.Matches(index, state.Term))
        {
            return;
        }

        uncommittedBytes -= log.Bytes(log.Commit, index);
        log.CommitTo(index);
        appendsDue = true;
    }

    private void StopLeading()
    {
        appendsDue = false;
        uncommittedBytes = 0;
        changePending = 0;
        transferTarget = MemberId.None;
        LoseReads();
    }
}

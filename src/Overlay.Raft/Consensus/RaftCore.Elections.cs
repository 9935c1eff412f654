using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>Elections (Raft, 5.2 and 5.4.1), with a vote without consequence before (thesis, 9.6).</summary>
public sealed partial class RaftCore
{
    /// <summary>
    /// It may lead: a voter that has no snapshot to load, no disk that hangs, and nothing committed but not applied that
    /// changes who votes.
    /// </summary>
    private bool CanCampaign =>
        members.IsSelfVoter && log.Applied >= log.Snapshot.Index
        && !IsDiskHanging && !HasUnappliedConfiguration();

    /// <summary>Does not wait for the time-out. The votes decide as ever.</summary>
    public void Campaign(Instant at, RaftEffects into)
    {
        Begin(at, into);
        if (role != RaftRole.Leader)
        {
            Elect(isTransfer: false, options.PreVote);
        }
    }

    /// <summary>
    /// What the shell knows from elsewhere, a broken connection for example: the leader is gone. The next candidate that is
    /// fit gets this member's vote, and if a majority does so, need not wait. Alone it changes nothing.
    /// </summary>
    public void ForgetLeader(Instant at, RaftEffects into)
    {
        Begin(at, into);
        if (role == RaftRole.Follower)
        {
            ChangeLeader(MemberId.None);
        }
    }

    private void Elect(bool isTransfer, bool isPreVote)
    {
        if (!CanCampaign)
        {
            ResetElectionTimer();
            return;
        }

        if (isPreVote)
        {
            Reset(state.Term);
            role = RaftRole.PreCandidate;
        }
        else
        {
            Reset(state.Term + 1);
            role = RaftRole.Candidate;
            state = state with { Vote = self };
        }

        AskForVotes(isTransfer, isPreVote);
        if (isPreVote)
        {
            // Nothing must be remembered for that, so nothing must be durable first.
            CountVote(self, true);
        }
    }

    private void AskForVotes(bool isTransfer, bool isPreVote)
    {
        foreach (Progress progress in members.All)
        {
            if (progress.Member == self || !members.Configuration.IsVoter(progress.Member))
            {
                continue;
            }

            RaftMessage message = new()
            {
                Kind = isPreVote ? MessageKind.PreVote : MessageKind.Vote,
                To = progress.Member,
                Term = isPreVote ? state.Term + 1 : state.Term,
                Index = log.Last,
                LogTerm = log.LastTerm,
                Transfer = isTransfer,
            };
            if (isPreVote)
            {
                Send(message);
            }
            else
            {
                // It says what is in this log. After a crash it may be less, and a vote for more must not count then.
                Hold(message);
            }
        }
    }

    /// <summary>Whoever asks gets an answer: it may be a voter by a change that this member has not heard of.</summary>
    private void AnswerVote(in RaftMessage message)
    {
        bool isPreVote = message.Kind == MessageKind.PreVote;
        bool isFree = state.Vote == message.From || (state.Vote.IsNone && leader.IsNone)
            || (isPreVote && message.Term > state.Term);
        MessageKind kind = isPreVote ? MessageKind.PreVoteResponse : MessageKind.VoteResponse;
        if (!isFree || !log.IsUpToDate(message.Index, message.LogTerm))
        {
            RefuseVote(kind, message);
            return;
        }

        if (isPreVote)
        {
            Send(new() { Kind = kind, To = message.From, Term = message.Term });
            return;
        }

        state = state with { Vote = message.From };
        ResetElectionTimer();
        Hold(new() { Kind = kind, To = message.From });
    }

    /// <summary>
    /// With the refusal goes what is committed of the candidate's log. It may need this vote no more then: a leader that was
    /// removed can have told nobody that its removal is committed, and has the longest log.
    /// </summary>
    private void RefuseVote(MessageKind kind, in RaftMessage message)
    {
        ulong committed = Math.Min(log.Commit, message.Index);
        Send(new() { Kind = kind, To = message.From, Reject = true, Index = committed, LogTerm = TermAt(committed) });
    }

    /// <summary>An entry that is committed elsewhere and is the same here is committed here. A leader counts for itself.</summary>
    private void TakeRefusedCommit(in RaftMessage message)
    {
        if (role != RaftRole.Leader && message.Reject && message.LogTerm > 0 && message.Index > log.Commit && log.Matches(message.Index, message.LogTerm))
        {
            log.CommitTo(message.Index);
        }
    }

    private void TakeVote(in RaftMessage message)
    {
        if (message.Kind == MessageKind.PreVoteResponse && !message.Reject && message.Term != state.Term + 1)
        {
            return;
        }

        CountVote(message.From, !message.Reject);
    }

    private void CountVote(MemberId from, bool granted)
    {
        if (members.Find(from) is not { } progress)
        {
            return;
        }

        progress.Vote ??= granted;
        switch (members.Election())
        {
            case true when role == RaftRole.PreCandidate:
                Elect(isTransfer: false, isPreVote: false);
                break;
            case true:
                Lead();
                break;
            case false:
                Follow(state.Term, MemberId.None);
                break;
        }
    }

    /// <summary>The vote for itself counts when the disk has it, like everybody's.</summary>
    private void CountOwnVote()
    {
        if (role == RaftRole.Candidate && durableState.Term == state.Term && durableState.Vote == self
            && members.Self?.Vote is null)
        {
            CountVote(self, true);
        }
    }

    private bool HasUnappliedConfiguration()
    {
        for (ulong index = Math.Max(log.Applied + 1, log.First); index <= log.Commit; index++)
        {
            if (log.At(index).Kind == EntryKind.Configuration)
            {
                return true;
            }
        }

        return false;
    }

    private void Lead()
    {
        Invariant.Holds(role == RaftRole.Candidate && state.Vote == self, "only a candidate is elected");
        Reset(state.Term);
        role = RaftRole.Leader;
        ChangeLeader(self);
        members.Self?.Own(log.Durable);
        heartbeatDeadline = now + options.HeartbeatInterval;
        quorumDeadline = now + options.ElectionTimeout;

        // Any change of members that is in the log and not applied is before this.
        changePending = log.Last;
        uncommittedBytes = log.Bytes(log.Commit, log.Last);
        Propose(EntryKind.Blank, default);
    }
}

using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>Terms and roles: who may speak to whom, and what becomes of a member that hears of a later term.</summary>
public sealed partial class RaftCore
{
    /// <summary>When the leader of this term was last heard.</summary>
    private Instant leaderHeard;

    /// <summary>Who hears a leader, or is one, gives nobody else a chance: a member that was away must not disturb.</summary>
    private bool IsLeaseHeld =>
        options.CheckQuorum && !leader.IsNone
        && (role == RaftRole.Leader || now < leaderHeard + options.ElectionTimeout);

    /// <summary>True: the message is of the present term, or needs none.</summary>
    private bool Admit(in RaftMessage message)
    {
        bool isRequest = message.Kind is MessageKind.Vote or MessageKind.PreVote;
        if (message.Term > state.Term)
        {
            if (isRequest && !message.Transfer && IsLeaseHeld)
            {
                return false;
            }

            bool isAsking = message.Kind == MessageKind.PreVote
                || (message.Kind == MessageKind.PreVoteResponse && !message.Reject);
            if (!isAsking)
            {
                // A candidate that does not get this member's vote must not delay this member's own candidacy (Raft, 5.2): it
                // may be the only one that can win.
                Instant due = role == RaftRole.Leader ? Instant.Never : electionDeadline;
                Follow(message.Term, IsFromLeader(message.Kind) ? message.From : MemberId.None);
                electionDeadline = message.Kind == MessageKind.Vote ? Instant.Min(due, electionDeadline) : electionDeadline;
            }

            return true;
        }

        if (message.Term == state.Term)
        {
            return true;
        }

        if (IsFromLeader(message.Kind))
        {
            // A leader of an earlier term that this member cannot follow any more, and whose voters do not hear this one
            // either: the answer's term makes it step down.
            Send(new() { Kind = MessageKind.AppendResponse, To = message.From, Index = message.Index, Reject = true });
        }
        else if (isRequest)
        {
            RefuseVote(message.Kind == MessageKind.PreVote ? MessageKind.PreVoteResponse : MessageKind.VoteResponse, message);
        }

        return false;
    }

    private void Handle(in RaftMessage message)
    {
        if (message.Kind is MessageKind.Vote or MessageKind.PreVote)
        {
            AnswerVote(message);
            return;
        }

        if (IsFromLeader(message.Kind))
        {
            if (role == RaftRole.Leader)
            {
                Invariant.Holds(false, $"term {state.Term} has one leader, not {self} and {message.From}");
            }

            HearLeader(message);
            return;
        }

        if (message.Kind is MessageKind.VoteResponse or MessageKind.PreVoteResponse)
        {
            TakeRefusedCommit(message);
        }

        switch (message.Kind)
        {
            case MessageKind.AppendResponse when role == RaftRole.Leader:
                TakeAppendResponse(message);
                break;
            case MessageKind.HeartbeatResponse when role == RaftRole.Leader:
                TakeHeartbeatResponse(message);
                break;
            case MessageKind.VoteResponse when role == RaftRole.Candidate:
            case MessageKind.PreVoteResponse when role == RaftRole.PreCandidate:
                TakeVote(message);
                break;
            case MessageKind.TimeoutNow when role == RaftRole.Follower:
                Elect(isTransfer: true, isPreVote: false);
                break;
            case MessageKind.Read:
                TakeRead(message);
                break;
            case MessageKind.ReadResponse:
                TakeReadResponse(message);
                break;
        }
    }

    private void HearLeader(in RaftMessage message)
    {
        Follow(message.Term, message.From);
        leaderHeard = now;
        ResetElectionTimer();
        switch (message.Kind)
        {
            case MessageKind.Append:
                TakeAppend(message);
                break;
            case MessageKind.Heartbeat:
                TakeHeartbeat(message);
                break;
            default:
                TakeSnapshot(message);
                break;
        }
    }

    /// <summary>A follower of the term, and of its leader if that is known.</summary>
    private void Follow(ulong term, MemberId of)
    {
        if (role == RaftRole.Follower && term == state.Term && of == leader)
        {
            return;
        }

        if (role != RaftRole.Follower || term != state.Term)
        {
            Reset(term);
        }

        role = RaftRole.Follower;
        ChangeLeader(of);
    }

    private void Reset(ulong term)
    {
        Invariant.Holds(term >= state.Term, "terms never go back");
        if (term != state.Term)
        {
            state = state with { Term = term, Vote = MemberId.None };
        }

        StopLeading();
        ChangeLeader(MemberId.None);
        ResetElectionTimer();
        foreach (Progress progress in members.All)
        {
            progress.Reset(0, log.Last + 1);
        }
    }

    private void ChangeLeader(MemberId other)
    {
        if (leader != other)
        {
            leader = other;
            LoseForwarded();
        }
    }

    private static bool IsFromLeader(MessageKind kind) =>
        kind is MessageKind.Append or MessageKind.Heartbeat or MessageKind.InstallSnapshot;
}

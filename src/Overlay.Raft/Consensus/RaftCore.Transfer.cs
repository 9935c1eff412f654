using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>Handing the leadership over (thesis, 3.10).</summary>
public sealed partial class RaftCore
{
    private MemberId transferTarget;
    private Instant transferDeadline;

    /// <summary>Who shall lead next; none: no transfer is under way.</summary>
    public MemberId TransferTarget => transferTarget;

    /// <summary>
    /// Brings the member up to date, takes no proposals meanwhile, and lets it campaign at once. Given up after an election
    /// time-out. A learner, a stranger and this member itself are no target; another target takes the place of the first.
    /// </summary>
    /// <returns>False: nothing was begun, nor is under way to that member.</returns>
    public bool TransferTo(MemberId member, Instant at, RaftEffects into)
    {
        Begin(at, into);
        if (role != RaftRole.Leader || member == self || !Configuration.IsVoter(member)
            || members.Find(member) is not { } progress)
        {
            return false;
        }

        if (transferTarget == member)
        {
            return true;
        }

        transferTarget = member;
        transferDeadline = now + options.ElectionTimeout;
        if (progress.Match == log.Last)
        {
            Send(new() { Kind = MessageKind.TimeoutNow, To = member });
        }
        else
        {
            appendsDue = true;
        }

        return true;
    }
}

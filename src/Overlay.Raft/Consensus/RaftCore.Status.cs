using System.Collections.Immutable;

namespace Overlay.Raft.Consensus;

/// <summary>What operators see.</summary>
public sealed partial class RaftCore
{
    public RaftStatus Status()
    {
        ImmutableArray<MemberProgress>.Builder known = ImmutableArray.CreateBuilder<MemberProgress>();
        if (role == RaftRole.Leader)
        {
            foreach (Progress progress in members.All)
            {
                known.Add(Shown(progress));
            }
        }

        return new(
            self, role, state.Term, state.Vote, leader, log.First, log.Last, log.Durable, log.Commit, log.Applied, log.Snapshot,
            Configuration, transferTarget, known.DrainToImmutable());
    }

    private MemberProgress Shown(Progress progress) =>
        new(progress.Member, progress.Match, progress.Next, progress.State, progress.PendingSnapshot, progress.IsRecentlyActive,
            progress.Inflight.Count, Configuration.IsLearner(progress.Member), IsCaughtUp(progress));
}

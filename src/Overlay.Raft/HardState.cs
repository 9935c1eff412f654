namespace Overlay.Raft;

/// <summary>
/// What a member must never forget (Ongaro and Ousterhout, 2014, figure 2). The commit index is not in it but for changes of
/// members: it is learnt again, and disaster recovery must not cut a log at it.
/// </summary>
/// <param name="Term">The latest term seen.</param>
/// <param name="Vote">Who got this member's vote in it; none: nobody yet.</param>
/// <param name="Committed">
/// The newest change of members known to be committed, 0: none. It is durable before the change holds, so that a restart does
/// not bring back voters that were replaced: they may be gone, or enough to decide without the present ones.
/// </param>
public readonly record struct HardState(ulong Term, MemberId Vote, ulong Committed = 0);

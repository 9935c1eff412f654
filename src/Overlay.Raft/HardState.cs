namespace Overlay.Raft;

/// <summary>
/// What a member must never forget (Ongaro and Ousterhout, 2014, figure 2). The commit index is not in it: it is
/// learnt again, and disaster recovery must not cut a log at it.
/// </summary>
/// <param name="Term">The latest term seen.</param>
/// <param name="Vote">Who got this member's vote in it; none: nobody yet.</param>
public readonly record struct HardState(ulong Term, MemberId Vote);

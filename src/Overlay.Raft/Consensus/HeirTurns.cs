using System.Collections.Immutable;

namespace Overlay.Raft.Consensus;

/// <summary>
/// <see cref="MemberPlan"/> for a leader that is to go, over time: who is asked to lead instead and does not do so for a
/// while cannot be reached, or cannot win, and must not keep it: another one is asked, and when all were, all again.
/// </summary>
/// <param name="patience">How long one is asked.</param>
public sealed class HeirTurns(TimeSpan patience)
{
    private ImmutableSortedSet<MemberId> passedOver = [];
    private TimeSpan since;

    /// <summary>Who is asked now; none: nobody has to be.</summary>
    public MemberId Asked { get; private set; }

    /// <summary>Who was asked in vain, until all were.</summary>
    public IReadOnlySet<MemberId> PassedOver => passedOver;

    /// <summary>Another time of leadership: who could not be reached then may be now.</summary>
    public void Begin()
    {
        Asked = MemberId.None;
        passedOver = [];
    }

    /// <param name="plan">The plan, by what is known of the members.</param>
    /// <param name="known">What the leader knows of them.</param>
    /// <param name="now">By a clock that only goes forward.</param>
    public MemberStep Next(Func<IReadOnlyList<MemberProgress>, MemberStep> plan, IReadOnlyList<MemberProgress> known, TimeSpan now)
    {
        if (!Asked.IsNone && now - since >= patience)
        {
            passedOver = passedOver.Add(Asked);
        }

        MemberStep step = plan([.. known.Where(m => !passedOver.Contains(m.Member))]);
        if (step.Heir.IsNone && !passedOver.IsEmpty)
        {
            Begin();
            step = plan(known);
        }

        if (step.Heir != Asked)
        {
            Asked = step.Heir;
            since = now;
        }

        return step;
    }
}

using System.Collections.Immutable;

namespace Overlay.Raft.Consensus;

/// <summary>
/// How a leader gets from the configuration that holds to the members that are wanted: newcomers listen first and vote when
/// they have caught up; who goes is taken out by somebody else's leadership; as little as possible at a time. It answers
/// what is due now, and is asked again whenever something has changed.
/// </summary>
public static class MemberPlan
{
    /// <param name="now">What holds.</param>
    /// <param name="self">The leader that asks.</param>
    /// <param name="wanted">Everybody who is to be a voter in the end.</param>
    /// <param name="known">What the leader knows of the members.</param>
    /// <param name="listening">It is wanted, and goes on listening though it has caught up; none: nobody does.</param>
    public static MemberStep Next(
        Configuration now, MemberId self, IReadOnlySet<MemberId> wanted, IReadOnlyList<MemberProgress> known, MemberId listening = default)
    {
        if (now.IsJoint || !now.Voters.Any(wanted.Contains))
        {
            // Under way; or it would take the last of those who can decide.
            return MemberStep.None;
        }

        if (!wanted.Contains(self))
        {
            MemberId heir = known
                .Where(m => m.Member != self && wanted.Contains(m.Member) && now.IsVoter(m.Member) && m.IsCaughtUp)
                .OrderByDescending(static m => m.Match).Select(static m => m.Member).FirstOrDefault();
            return heir.IsNone ? MemberStep.None : new(heir, []);
        }

        MemberChange[] ripe =
        [
            .. now.Learners.Where(m => m != listening && wanted.Contains(m) && known.Any(k => k.Member == m && k.IsCaughtUp))
                .Select(static m => new MemberChange(MemberChangeKind.AddVoter, m)),
            .. now.Members.Where(m => !wanted.Contains(m)).Select(static m => new MemberChange(MemberChangeKind.Remove, m)),
        ];
        if (ripe.Length > 0)
        {
            return new(MemberId.None, [.. ripe]);
        }

        MemberId newcomer = wanted.Where(m => !now.Contains(m)).OrderBy(static m => m.Value).FirstOrDefault();
        return newcomer.IsNone || now.Members.Length >= Configuration.MaxMembers
            ? MemberStep.None
            : new(MemberId.None, [new(MemberChangeKind.AddLearner, newcomer)]);
    }
}

/// <summary>What is due; at most one of the two.</summary>
/// <param name="Heir">Who is to lead instead; none: nobody else.</param>
/// <param name="Changes">Made at once, through a joint configuration if they are several.</param>
public readonly record struct MemberStep(MemberId Heir, ImmutableArray<MemberChange> Changes)
{
    public static readonly MemberStep None = new(MemberId.None, []);

    public bool IsNone => Heir.IsNone && Changes.IsDefaultOrEmpty;
}

using System.Collections.Immutable;
using Overlay.Raft;

namespace Overlay.Simulation.Raft;

/// <summary>Majorities counted without the core's own counting.</summary>
internal static class Majorities
{
    /// <summary>Whether those of whom <paramref name="holds"/> is true can decide.</summary>
    public static bool Decide(Configuration configuration, Func<MemberId, bool> holds) =>
        Most(configuration.Voters, holds) && (!configuration.IsJoint || Most(configuration.OutgoingVoters, holds));

    /// <summary>Whether one set of members can decide in the one configuration while the others decide in the other.</summary>
    public static bool CanSplit(Configuration one, Configuration other)
    {
        ImmutableArray<MemberId> members = [.. one.Members.Union(other.Members)];
        for (int side = 0; side < 1 << members.Length; side++)
        {
            if (Decide(one, m => IsIn(members, side, m)) && Decide(other, m => !IsIn(members, side, m)))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsIn(ImmutableArray<MemberId> members, int side, MemberId member) => (side >> members.IndexOf(member) & 1) != 0;

    private static bool Most(ImmutableArray<MemberId> voters, Func<MemberId, bool> holds)
    {
        int count = 0;
        foreach (MemberId voter in voters)
        {
            count += holds(voter) ? 1 : 0;
        }

        return 2 * count > voters.Length;
    }
}

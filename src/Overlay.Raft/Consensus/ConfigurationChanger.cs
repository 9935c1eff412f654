using System.Collections.Immutable;

namespace Overlay.Raft.Consensus;

/// <summary>
/// What a configuration becomes (Ongaro's thesis, 4.1 and 4.3): directly if one voter changes at most, so that old and new
/// majorities overlap, else through a joint configuration.
/// </summary>
public static class ConfigurationChanger
{
    /// <param name="reason">In words, if it cannot.</param>
    public static Configuration? TryChange(
        Configuration from, ReadOnlySpan<MemberChange> changes, ChangeMode mode, out string reason)
    {
        reason = from.IsJoint ? "the configuration is joint: it must be left before another change"
            : changes.IsEmpty ? "there is nothing to change"
            : "";
        if (reason.Length > 0)
        {
            return null;
        }

        SortedSet<MemberId> voters = [.. from.Voters];
        SortedSet<MemberId> learners = [.. from.Learners];
        foreach (MemberChange change in changes)
        {
            if (change.Member.IsNone)
            {
                reason = "nobody is no member";
                return null;
            }

            voters.Remove(change.Member);
            learners.Remove(change.Member);
            _ = change.Kind switch
            {
                MemberChangeKind.AddVoter => voters.Add(change.Member),
                MemberChangeKind.AddLearner => learners.Add(change.Member),
                _ => false,
            };
        }

        SortedSet<MemberId> touched = [.. from.Voters];
        touched.SymmetricExceptWith(voters);
        bool isJoint = mode != ChangeMode.Auto || touched.Count > 1;
        reason = voters.Count == 0 ? "the last voter cannot go: nobody could decide any more"
            : from.Members.Union(voters).Union(learners).Count() > Configuration.MaxMembers
                ? $"a configuration has at most {Configuration.MaxMembers} members"
            : "";
        if (reason.Length > 0)
        {
            return null;
        }

        if (!isJoint)
        {
            return new(voters, [], learners, [], false);
        }

        // Who still votes in the old half cannot be a learner of the new one yet.
        MemberId[] next = [.. learners.Where(member => from.Voters.BinarySearch(member) >= 0)];
        learners.ExceptWith(next);
        return new(voters, from.Voters, learners, next, mode != ChangeMode.JointExplicit);
    }

    public static Configuration? TryLeave(Configuration from, out string reason)
    {
        reason = from.IsJoint ? "" : "the configuration is not joint: there is nothing to leave";
        return from.IsJoint ? new(from.Voters, [], [.. from.Learners, .. from.LearnersNext], [], false) : null;
    }
}

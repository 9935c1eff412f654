using System.Collections.Immutable;
using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>
/// The configuration in force with a <see cref="Progress"/> for each of its members, and the arithmetic of majorities. In a
/// joint configuration both halves must agree.
/// </summary>
internal sealed class Members(MemberId self, RaftOptions options)
{
    private Progress[] all = [];

    public Configuration Configuration { get; private set; } = Configuration.Empty;

    public ReadOnlySpan<Progress> All => all;

    public Progress? Self => Find(self);

    public bool IsSelfVoter => Configuration.IsVoter(self);

    /// <summary>Members that stay keep their progress; new ones get it.</summary>
    public void Enter(Configuration configuration, ulong next)
    {
        Progress[] entering = new Progress[configuration.Members.Length];
        for (int i = 0; i < entering.Length; i++)
        {
            MemberId member = configuration.Members[i];
            if (Find(member) is { } known)
            {
                entering[i] = known;
                continue;
            }

            entering[i] = new(member, options);
            entering[i].Reset(0, next);

            // Else a check of the majority right behind would not have given it a chance to answer.
            entering[i].IsRecentlyActive = true;
        }

        all = entering;
        Configuration = configuration;
    }

    public Progress? Find(MemberId member)
    {
        foreach (Progress progress in all)
        {
            if (progress.Member == member)
            {
                return progress;
            }
        }

        return null;
    }

    /// <summary>The highest index that a majority has on its disks.</summary>
    public ulong Committed() => Agreed(static progress => progress.Match);

    /// <summary>The highest position of reads that a majority has confirmed.</summary>
    public ulong Confirmed() => Agreed(static progress => progress.ReadPosition);

    public bool IsMajorityActive() => Tally(static progress => progress.IsRecentlyActive) == true;

    /// <summary>True: won. False: it cannot be won any more. Null: open.</summary>
    public bool? Election() => Tally(static progress => progress.Vote);

    private ulong Agreed(Func<Progress, ulong> value)
    {
        ulong incoming = Agreed(Configuration.Voters, value);
        return Configuration.IsJoint ? Math.Min(incoming, Agreed(Configuration.OutgoingVoters, value)) : incoming;
    }

    private ulong Agreed(ImmutableArray<MemberId> voters, Func<Progress, ulong> value)
    {
        if (voters.IsEmpty)
        {
            return 0;
        }

        Span<ulong> values = stackalloc ulong[Configuration.MaxMembers];
        values = values[..voters.Length];
        for (int i = 0; i < voters.Length; i++)
        {
            values[i] = value(Of(voters[i]));
        }

        values.Sort();

        // Of 3 the second, of 4 the second, of 5 the third lowest: that many and all above have it.
        return values[(voters.Length - 1) / 2];
    }

    private bool? Tally(Func<Progress, bool?> vote)
    {
        bool? incoming = Tally(Configuration.Voters, vote);
        if (!Configuration.IsJoint)
        {
            return incoming;
        }

        bool? outgoing = Tally(Configuration.OutgoingVoters, vote);
        return incoming == false || outgoing == false ? false : incoming == true && outgoing == true ? true : null;
    }

    private bool? Tally(ImmutableArray<MemberId> voters, Func<Progress, bool?> vote)
    {
        int granted = 0;
        int refused = 0;
        foreach (MemberId voter in voters)
        {
            bool? answer = vote(Of(voter));
            granted += answer == true ? 1 : 0;
            refused += answer == false ? 1 : 0;
        }

        int majority = (voters.Length / 2) + 1;
        return granted >= majority ? true : voters.Length - refused < majority ? false : null;
    }

    private Progress Of(MemberId member)
    {
        Progress? progress = Find(member);
        Invariant.Holds(progress is not null, "every member has its progress");
        return progress;
    }
}

using System.Collections.Immutable;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Raft.Consensus;

public sealed class MemberPlanTests
{
    private static readonly MemberId A = new(1);
    private static readonly MemberId B = new(2);
    private static readonly MemberId C = new(3);
    private static readonly MemberId D = new(4);

    [Fact]
    public void A_newcomer_listens_first_and_votes_when_it_has_caught_up()
    {
        Changes(Next(Of([A]), [A, B]), (MemberChangeKind.AddLearner, B));
        Assert.True(Next(Of([A], [B]), [A, B]).IsNone);
        Changes(Next(Of([A], [B]), [A, B], caughtUp: [B]), (MemberChangeKind.AddVoter, B));
        Assert.True(Next(Of([A, B]), [A, B]).IsNone);
    }

    [Fact]
    public void Who_is_to_listen_votes_when_it_takes_the_place_of_another()
    {
        ImmutableHashSet<MemberId> all = [A, B, C, D];
        MemberProgress[] known = [Known(B, 5, isCaughtUp: true), Known(D, 5, isCaughtUp: true)];
        Assert.True(MemberPlan.Next(Of([A, B, C], [D]), A, all, known, listening: D).IsNone);
        Changes(
            MemberPlan.Next(Of([A, B, C], [D]), A, all.Remove(C), known), (MemberChangeKind.AddVoter, D), (MemberChangeKind.Remove, C));
    }

    [Fact]
    public void Newcomers_come_one_after_the_other() =>
        Changes(Next(Of([A]), [A, D, C, B]), (MemberChangeKind.AddLearner, B));

    [Fact]
    public void A_replaced_disk_takes_the_place_of_its_former_life_at_once() => Changes(
        Next(Of([A, B, C], [D]), [A, B, D], caughtUp: [D]), (MemberChangeKind.AddVoter, D), (MemberChangeKind.Remove, C));

    [Fact]
    public void Who_is_not_wanted_goes_even_before_others_have_caught_up() =>
        Changes(Next(Of([A, B, C], [D]), [A, B, D]), (MemberChangeKind.Remove, C));

    [Fact]
    public void A_leader_that_is_to_go_hands_over_to_the_one_that_has_most()
    {
        Assert.True(Next(Of([A, B, C]), [B, C]).IsNone);
        MemberStep step = MemberPlan.Next(
            Of([A, B, C]), A, ImmutableHashSet.Create(B, C), [Known(B, 5, isCaughtUp: true), Known(C, 7, isCaughtUp: true)]);
        Assert.Equal(C, step.Heir);
        Assert.True(step.Changes.IsDefaultOrEmpty);
        Assert.Equal(B, Next(Of([A, B, C]), [B], caughtUp: [B, C]).Heir);
    }

    [Fact]
    public void A_joint_configuration_is_left_alone() =>
        Assert.True(Next(new([A, B], [A], [], [], autoLeave: true), [A, B, C]).IsNone);

    [Fact]
    public void The_last_of_those_who_decide_do_not_go()
    {
        Assert.True(Next(Of([A, B]), []).IsNone);
        Assert.True(Next(Of([A]), [B]).IsNone);
    }

    /// <summary>From any members to any others, one step after the other, whoever leads.</summary>
    [Fact]
    public void Every_wish_is_reached_and_somebody_always_decides()
    {
        for (ulong seed = 1; seed <= 500; seed++)
        {
            Prng prng = new(seed);
            Configuration now = Of([.. Some(prng, atLeast: 1)]);
            ImmutableSortedSet<MemberId> wanted = [.. Some(prng, atLeast: 1), now.Voters[prng.Next(now.Voters.Length)]];
            MemberId leader = now.Voters[prng.Next(now.Voters.Length)];
            int steps = 0;
            for (MemberStep step = Step(); !step.IsNone; step = Step())
            {
                Assert.True(++steps < 40, $"seed {seed} does not end");
                leader = step.Heir.IsNone ? leader : step.Heir;
                now = step.Heir.IsNone ? After(now, step) : now;
                Assert.NotEmpty(now.Voters);
                Assert.True(now.IsVoter(leader), $"seed {seed}: {leader} leads and does not vote");
            }

            Assert.True(wanted.SetEquals(now.Voters) && now.Learners.IsEmpty, $"seed {seed} ends with {string.Join(' ', now.Members)}");

            MemberStep Step() => MemberPlan.Next(
                now, leader, wanted, [.. now.Members.Select(m => Known(m, 9, isCaughtUp: true))]);
        }
    }

    private static Configuration After(Configuration now, MemberStep step)
    {
        Configuration? next = ConfigurationChanger.TryChange(now, step.Changes.AsSpan(), ChangeMode.Auto, out string reason);
        Assert.True(next is not null, reason);
        if (!next.IsJoint)
        {
            return next;
        }

        next = ConfigurationChanger.TryLeave(next, out reason);
        return next ?? throw new InvalidOperationException(reason);
    }

    private static ImmutableSortedSet<MemberId> Some(Prng prng, int atLeast)
    {
        MemberId[] all = [A, B, C, D, new(5), new(6)];
        int count = atLeast + prng.Next(4);
        return [.. Enumerable.Range(0, count).Select(_ => all[prng.Next(all.Length)])];
    }

    private static MemberStep Next(Configuration now, MemberId[] wanted, MemberId[]? caughtUp = null) => MemberPlan.Next(
        now, A, wanted.ToImmutableHashSet(),
        [.. now.Members.Where(m => m != A).Select(m => Known(m, 5, caughtUp?.Contains(m) == true))]);

    private static MemberProgress Known(MemberId member, ulong match, bool isCaughtUp) =>
        new(member, match, match + 1, ProgressState.Replicate, 0, true, 0, false, isCaughtUp);

    private static Configuration Of(MemberId[] voters, MemberId[]? learners = null) => new(voters, [], learners ?? [], [], false);

    private static void Changes(MemberStep step, params (MemberChangeKind Kind, MemberId Member)[] expected)
    {
        Assert.True(step.Heir.IsNone);
        Assert.Equal(expected, step.Changes.Select(static c => (c.Kind, c.Member)));
    }
}

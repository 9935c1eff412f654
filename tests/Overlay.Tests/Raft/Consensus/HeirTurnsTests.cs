using System.Collections.Immutable;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Raft.Consensus;

public sealed class HeirTurnsTests
{
    private static readonly MemberId A = new(1);
    private static readonly MemberId B = new(2);
    private static readonly MemberId C = new(3);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly HeirTurns turns = new(Patience);

    [Fact]
    public void One_that_does_not_lead_in_time_is_passed_over_until_all_were()
    {
        List<MemberId> asked = [.. Enumerable.Range(0, 12).Select(second => Ask([Known(B, 7), Known(C, 5)], second).Heir)];
        Assert.Equal([B, B, B, C, C, C, B, B, B, C, C, C], asked);
    }

    [Fact]
    public void Only_one_can_be_asked_and_is_asked_again() =>
        Assert.All(Enumerable.Range(0, 10), second => Assert.Equal(B, Ask([Known(B, 7)], second).Heir));

    [Fact]
    public void Another_time_of_leadership_asks_from_the_first_on()
    {
        Ask([Known(B, 7), Known(C, 5)], 0);
        Assert.Equal(C, Ask([Known(B, 7), Known(C, 5)], 3).Heir);
        Assert.Equal([B], turns.PassedOver);
        turns.Begin();
        Assert.Equal(B, Ask([Known(B, 7), Known(C, 5)], 4).Heir);
        Assert.Empty(turns.PassedOver);
    }

    [Fact]
    public void A_change_of_members_is_taken_as_the_plan_has_it()
    {
        Ask([Known(B, 7), Known(C, 5)], 0);
        MemberStep step = turns.Next(
            known => MemberPlan.Next(Of([A, B, C]), A, ImmutableHashSet.Create(A, B), known), [Known(B, 7), Known(C, 5)],
            TimeSpan.FromSeconds(9));
        Assert.True(step.Heir.IsNone);
        Assert.Equal([new MemberChange(MemberChangeKind.Remove, C)], step.Changes);
        Assert.True(turns.Asked.IsNone);
    }

    private MemberStep Ask(MemberProgress[] known, int second) => turns.Next(
        seen => MemberPlan.Next(Of([A, B, C]), A, ImmutableHashSet.Create(B, C), seen), known, TimeSpan.FromSeconds(second));

    private static Configuration Of(MemberId[] voters) => new(voters, [], [], [], autoLeave: false);

    private static MemberProgress Known(MemberId member, ulong match) =>
        new(member, match, match + 1, ProgressState.Replicate, 0, true, 0, false, true);
}

using Overlay.Primitives;
using Overlay.Simulation.Linearizability;
using RegisterOperation = Overlay.Simulation.Linearizability.Operation<
    Overlay.Simulation.Linearizability.RegisterInput, Overlay.Simulation.Linearizability.RegisterOutput>;

namespace Overlay.Tests.Simulation;

public sealed class LinearizabilityTests
{
    private const long Never = RegisterOperation.NoAnswer;

    [Fact]
    public void An_empty_history_is_linearizable() => Holds();

    [Fact]
    public void A_read_sees_the_write_before_it() => Holds(Write(1, 0, 1), Read(1, 2, 3));

    [Fact]
    public void A_read_after_a_write_does_not_see_the_beginning() => Breaks(Write(1, 0, 1), Read(0, 2, 3));

    [Fact]
    public void Nobody_reads_what_nobody_wrote() => Breaks(Write(1, 0, 1), Read(7, 2, 3));

    [Fact]
    public void A_read_beside_a_write_sees_either()
    {
        Holds(Write(1, 0, 10), Read(0, 2, 3));
        Holds(Write(1, 0, 10), Read(1, 2, 3));
    }

    [Fact]
    public void Two_reads_do_not_go_back_in_time()
    {
        Holds(Write(1, 0, 10), Read(0, 2, 3), Read(1, 4, 5));
        Breaks(Write(1, 0, 10), Read(1, 2, 3), Read(0, 4, 5));
    }

    [Fact]
    public void Reads_that_overlap_may_differ() => Holds(Write(1, 0, 10), Read(1, 2, 6), Read(0, 4, 7));

    [Fact]
    public void All_readers_see_two_writes_in_one_order()
    {
        RegisterOperation[] writes = [Write(1, 0, 10), Write(2, 0, 10)];
        Holds([.. writes, Read(1, 11, 12), Read(1, 13, 14)]);
        Breaks([.. writes, Read(1, 11, 12), Read(2, 13, 14)]);
    }

    [Fact]
    public void Herlihy_and_Wing_s_queue_like_overlap_is_found() =>
        Breaks(Write(1, 0, 5), Write(2, 6, 10), Read(2, 7, 8), Read(1, 9, 12));

    [Fact]
    public void A_write_without_an_answer_may_have_happened_or_not()
    {
        Holds(Write(1, 0, Never), Read(0, 2, 3));
        Holds(Write(1, 0, Never), Read(1, 2, 3));
        Holds(Write(1, 0, Never), Read(0, 2, 3), Read(1, 400, 500));
        Breaks(Write(1, 0, Never), Read(1, 2, 3), Read(0, 400, 500));
    }

    [Fact]
    public void A_write_without_an_answer_does_not_happen_before_its_call() =>
        Breaks(Read(1, 0, 1), Write(1, 2, Never));

    [Fact]
    public void A_write_without_an_answer_happens_once_only() =>
        Breaks(Write(1, 0, Never), Read(1, 1, 2), Write(2, 3, 4), Read(2, 5, 6), Read(1, 7, 8));

    [Fact]
    public void A_swap_takes_what_it_expects()
    {
        Holds(Write(1, 0, 1), Swap(1, 2, true, 2, 3), Read(2, 4, 5));
        Breaks(Write(1, 0, 1), Swap(1, 2, false, 2, 3));
        Breaks(Write(1, 0, 1), Swap(3, 2, true, 2, 3));
        Holds(Write(1, 0, 1), Swap(3, 2, false, 2, 3), Read(1, 4, 5));
    }

    [Fact]
    public void Of_two_swaps_from_one_value_one_fails()
    {
        Breaks(Swap(0, 1, true, 0, 5), Swap(0, 2, true, 0, 5));
        Holds(Swap(0, 1, true, 0, 5), Swap(0, 2, false, 0, 5));
    }

    [Fact]
    public void Each_key_stands_for_itself()
    {
        Holds(Write(1, 0, 1) with { Key = 1 }, Read(0, 2, 3) with { Key = 2 });
        LinearizabilityVerdict verdict = LinearizabilityChecker.CheckRegisters(
            [Write(1, 0, 1) with { Key = 1 }, Write(5, 0, 1) with { Key = 2 }, Read(0, 2, 3) with { Key = 2 }]);
        Assert.Equal((LinearizabilityResult.Violated, 2), (verdict.Result, verdict.Key));
    }

    [Fact]
    public void Events_of_one_instant_overlap() => Holds(Write(1, 0, 5), Read(0, 5, 6));

    [Fact]
    public void A_search_that_runs_out_of_steps_says_so()
    {
        RegisterOperation[] history = [.. RegisterHistory.Random(new(1), 8, 300, 0).Operations];
        LinearizabilityVerdict verdict = LinearizabilityChecker.CheckRegisters(history, steps: 20);
        Assert.Equal(LinearizabilityResult.Undecided, verdict.Result);
    }

    [Fact]
    public void Histories_of_a_correct_register_are_linearizable()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            Prng prng = new(seed);
            RegisterHistory history = RegisterHistory.Random(prng, 1 + prng.Next(10), 20 + prng.Next(300), prng.Next(10) / 100.0);
            LinearizabilityVerdict verdict = LinearizabilityChecker.CheckRegisters(history.Operations);
            Assert.True(verdict.Result == LinearizabilityResult.Linearizable, $"seed {seed}: {verdict}");
        }
    }

    [Fact]
    public void One_answer_changed_on_purpose_is_found()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            Prng prng = new(seed);
            RegisterHistory history = RegisterHistory.Random(prng, 1 + prng.Next(6), 40 + prng.Next(200), 0);
            RegisterOperation[] broken = history.Break(prng);
            LinearizabilityVerdict verdict = LinearizabilityChecker.CheckRegisters(broken);
            Assert.True(verdict.Result == LinearizabilityResult.Violated, $"seed {seed}: {verdict}");
        }
    }

    /// <summary>Short histories with arbitrary answers: the checker agrees with trying every order.</summary>
    [Fact]
    public void Every_order_tried_by_hand_gives_the_same_verdict()
    {
        int good = 0;
        int bad = 0;
        for (ulong seed = 1; seed <= 3000; seed++)
        {
            RegisterOperation[] history = RegisterHistory.Arbitrary(new(seed), 6);
            bool expected = EveryOrder.Explains(history);
            LinearizabilityVerdict verdict = LinearizabilityChecker.CheckRegisters(history);
            Assert.True((verdict.Result == LinearizabilityResult.Linearizable) == expected, $"seed {seed}: {verdict}");
            good += expected ? 1 : 0;
            bad += expected ? 0 : 1;
        }

        Assert.True(good > 500 && bad > 500, $"{good} linearizable, {bad} not: the histories are one-sided");
    }

    private static RegisterOperation Write(long value, long call, long answer) =>
        new(0, 0, new(RegisterVerb.Write, value), default, call, answer);

    private static RegisterOperation Read(long value, long call, long answer) =>
        new(0, 0, new(RegisterVerb.Read, 0), new(value), call, answer);

    private static RegisterOperation Swap(long expected, long value, bool swapped, long call, long answer) =>
        new(0, 0, new(RegisterVerb.Swap, value, expected), new(0, swapped), call, answer);

    private static void Holds(params RegisterOperation[] history) =>
        Assert.Equal(LinearizabilityResult.Linearizable, LinearizabilityChecker.CheckRegisters(history).Result);

    private static void Breaks(params RegisterOperation[] history) =>
        Assert.Equal(LinearizabilityResult.Violated, LinearizabilityChecker.CheckRegisters(history).Result);
}

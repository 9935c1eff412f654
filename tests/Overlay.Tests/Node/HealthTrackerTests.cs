using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>What is thought of a backend, by what it answered.</summary>
public sealed class HealthTrackerTests
{
    private static readonly HealthPlan Plan = new(
        HealthKind.Tcp, 80, "", "", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(3), 3, TimeSpan.Zero);

    private Instant now = new(1_000_000_000);
    private long question;

    [Fact]
    public void One_success_makes_it_healthy_and_so_many_failures_in_a_row_unhealthy()
    {
        HealthTracker tracker = Begin(Plan);
        Assert.Equal(EndpointHealth.Starting, tracker.Health);
        Assert.True(Answer(tracker, null));
        Assert.Equal(EndpointHealth.Healthy, tracker.Health);
        Assert.False(Answer(tracker, "refused"));
        Assert.False(Answer(tracker, "refused"));
        Assert.Equal((EndpointHealth.Healthy, "refused"), (tracker.Health, tracker.Reason));
        Assert.False(Answer(tracker, null));
        Assert.Equal("", tracker.Reason);
        Assert.False(Answer(tracker, "a"));
        Assert.False(Answer(tracker, "b"));
        Assert.True(Answer(tracker, "c"));
        Assert.Equal((EndpointHealth.Unhealthy, "c"), (tracker.Health, tracker.Reason));
        Assert.False(Answer(tracker, "d"));
        Assert.Equal("d", tracker.Reason);
        Assert.True(Answer(tracker, null));
        Assert.Equal(EndpointHealth.Healthy, tracker.Health);
    }

    [Fact]
    public void Failures_while_it_may_still_start_do_not_count_until_a_success()
    {
        HealthTracker tracker = Begin(Plan with { Retries = 1, StartPeriod = TimeSpan.FromMinutes(5) });
        Instant began = now;
        while (now - began < TimeSpan.FromMinutes(4))
        {
            Assert.False(Answer(tracker, "refused"));
        }

        Assert.Equal((EndpointHealth.Starting, "refused"), (tracker.Health, tracker.Reason));
        Assert.True(Answer(tracker, null));
        Assert.True(Answer(tracker, "refused"));
        Assert.Equal(EndpointHealth.Unhealthy, tracker.Health);

        HealthTracker late = Begin(Plan with { Retries = 2, StartPeriod = TimeSpan.FromSeconds(30) });
        began = now;
        while (!Answer(late, "refused"))
        {
        }

        Assert.InRange(now - began, TimeSpan.FromSeconds(40), TimeSpan.FromSeconds(51));
        Assert.Equal(EndpointHealth.Unhealthy, late.Health);
    }

    [Fact]
    public void A_first_look_comes_within_a_second_and_then_one_in_each_interval()
    {
        for (ulong seed = 1; seed <= 100; seed++)
        {
            Instant began = now;
            HealthTracker tracker = new(Plan, EndpointHealth.Starting, "", now, new(seed));
            Assert.InRange(tracker.Deadline - began, TimeSpan.Zero, TimeSpan.FromSeconds(1));
            Instant first = tracker.Deadline;
            Answer(tracker, null);
            Assert.InRange(tracker.Deadline - first, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(10));
            for (int i = 0; i < 3; i++)
            {
                Instant before = tracker.Deadline;
                Answer(tracker, null);
                Assert.Equal(TimeSpan.FromSeconds(10), tracker.Deadline - before);
            }
        }
    }

    [Fact]
    public void Those_that_begin_together_do_not_stay_so()
    {
        SortedSet<long> phases = [];
        Prng prng = new(7);
        for (int i = 0; i < 100; i++)
        {
            HealthTracker tracker = new(Plan, EndpointHealth.Healthy, "", now, prng);
            tracker.Ask(1, tracker.Deadline);
            tracker.Answer(1, null, now);
            phases.Add((long)(tracker.Deadline - now).TotalSeconds);
        }

        Assert.True(phases.Count >= 5, $"they are asked in {phases.Count} of 6 seconds");
    }

    [Fact]
    public void Nobody_is_asked_twice_at_once_and_only_the_last_question_has_an_answer()
    {
        HealthTracker tracker = Begin(Plan with { Retries = 1 });
        now = tracker.Deadline;
        tracker.Ask(5, now);
        Assert.Equal(Instant.Never, tracker.Deadline);
        Assert.Throws<InvariantException>(() => tracker.Ask(6, now));
        Assert.False(tracker.Answer(4, null, now));
        Assert.False(tracker.Answer(0, null, now));
        Assert.Equal(EndpointHealth.Starting, tracker.Health);
        Assert.True(tracker.Answer(5, null, now));
        Assert.False(tracker.Answer(5, "late", now));
        Assert.Equal(EndpointHealth.Healthy, tracker.Health);
    }

    [Fact]
    public void An_answer_that_comes_late_is_followed_by_the_next_question_at_once()
    {
        HealthTracker tracker = Begin(Plan);
        now = tracker.Deadline;
        tracker.Ask(1, now);
        now += TimeSpan.FromSeconds(25);
        tracker.Answer(1, "no answer", now);
        Assert.True(tracker.Deadline <= now);
    }

    [Fact]
    public void Another_check_leaves_it_as_it_is_and_looks_soon()
    {
        HealthTracker tracker = Begin(Plan);
        Answer(tracker, null);
        Answer(tracker, "a");
        Answer(tracker, "b");
        now = tracker.Deadline;
        tracker.Ask(99, now);
        tracker.Change(Plan with { Port = 81 }, now);
        Assert.Equal(EndpointHealth.Healthy, tracker.Health);
        Assert.InRange(tracker.Deadline - now, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.False(tracker.Answer(99, "of the check before", now));
        Assert.False(Answer(tracker, "c"));
        Assert.False(Answer(tracker, "d"));
        Assert.True(Answer(tracker, "e"));
    }

    /// <summary>Against the rules said over the whole history: it is what its last success, and the failures behind it, make of it.</summary>
    [Fact]
    public void It_is_what_its_history_says()
    {
        for (ulong seed = 1; seed <= 500; seed++)
        {
            Prng prng = new(seed);
            EndpointHealth first = (EndpointHealth)(1 + prng.Next(3));
            HealthPlan plan = Plan with
            {
                Interval = TimeSpan.FromSeconds(1 + prng.Next(10)),
                Retries = 1 + prng.Next(4),
                StartPeriod = TimeSpan.FromSeconds(prng.Next(60)),
            };
            Instant began = now;
            HealthTracker tracker = new(plan, first, "", now, prng);
            List<(bool Well, Instant At)> history = [];
            double well = prng.Next(10) / 10.0;
            for (int i = 0; i < 40; i++)
            {
                EndpointHealth before = tracker.Health;
                now = tracker.Deadline > now ? tracker.Deadline : now;
                tracker.Ask(++question, now);
                now += TimeSpan.FromMilliseconds(prng.Next(3000));
                bool isWell = prng.Chance(well);
                history.Add((isWell, now));
                bool changed = tracker.Answer(question, isWell ? null : $"{i}", now);
                Assert.Equal(changed, before != tracker.Health);
                Assert.Equal(isWell ? "" : $"{i}", tracker.Reason);

                int success = history.FindLastIndex(static h => h.Well);
                int counted = history.Skip(success + 1)
                    .Count(h => success >= 0 || first != EndpointHealth.Starting || h.At - began >= plan.StartPeriod);
                EndpointHealth truth = counted >= plan.Retries ? EndpointHealth.Unhealthy : success >= 0 ? EndpointHealth.Healthy : first;
                Assert.True(truth == tracker.Health, $"seed {seed}, step {i}: {tracker.Health}, and {truth} is true");
            }
        }
    }

    [Theory]
    [InlineData(0, 0, 0u, 500, 100, 1)]
    [InlineData(1_000, 5_000, 2u, 1_000, 1_000, 2)]
    [InlineData(long.MaxValue, long.MaxValue, uint.MaxValue, 3_600_000, 60_000, 100)]
    [InlineData(long.MinValue, long.MinValue, 0u, 500, 100, 1)]
    public void No_manager_s_word_makes_it_ask_without_end(
        long interval, long timeout, uint retries, int wantedInterval, int wantedTimeout, int wantedRetries)
    {
        HealthPlan plan = HealthPlan.Of(
            new() { Kind = HealthKind.Tcp, Port = 80, IntervalMs = interval, TimeoutMs = timeout, Retries = retries, StartPeriodMs = interval },
            "")!;
        Assert.Equal(
            (wantedInterval, wantedTimeout, wantedRetries),
            ((int)plan.Interval.TotalMilliseconds, (int)plan.Timeout.TotalMilliseconds, plan.Retries));
        Assert.InRange(plan.StartPeriod, TimeSpan.Zero, TimeSpan.FromHours(1));
    }

    [Fact]
    public void Nobody_looks_where_nothing_is_to_be_looked_at()
    {
        Assert.Null(HealthPlan.Of(null, ""));
        Assert.Null(HealthPlan.Of(new() { Port = 80 }, ""));
        Assert.Null(HealthPlan.Of(new() { Kind = (HealthKind)9, Port = 80 }, ""));
        Assert.Null(HealthPlan.Of(new() { Kind = HealthKind.Tcp, Port = 70_000 }, ""));
        Assert.Equal(
            (HealthKind.Unspecified, "true", TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(3), 3),
            HealthPlan.Of(new() { Kind = (HealthKind)9, Port = 80 }, "true") is { } plan
                ? (plan.Kind, plan.Command, plan.Interval, plan.Timeout, plan.Retries)
                : default);
    }

    private HealthTracker Begin(HealthPlan plan) => new(plan, EndpointHealth.Starting, "", now, new(3));

    private bool Answer(HealthTracker tracker, string? fault)
    {
        now = tracker.Deadline > now ? tracker.Deadline : now;
        tracker.Ask(++question, now);
        return tracker.Answer(question, fault, now);
    }
}

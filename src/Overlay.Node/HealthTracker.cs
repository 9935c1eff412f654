using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// What is thought of one backend: from when it is asked and what it answered. It begins as it is told to, so that an agent's restart
/// changes nothing; one success makes it healthy, some failures in a row unhealthy. It is asked at an even pace, whose phase is drawn
/// twice: a first look comes soon, and those that began together do not stay so.
/// </summary>
internal sealed class HealthTracker(HealthPlan plan, EndpointHealth health, string reason, Instant now, Prng prng)
{
    private static readonly TimeSpan FirstWithin = TimeSpan.FromSeconds(1);

    private readonly Instant began = now;
    private Instant next = now + Part(Shorter(plan.Interval, FirstWithin), prng);
    private bool isFirst = true;
    private long asked;
    private int failures;

    public HealthPlan Plan { get; private set; } = plan;

    public EndpointHealth Health { get; private set; } = health;

    /// <summary>Why the last look failed; empty: it did not.</summary>
    public string Reason { get; private set; } = reason;

    /// <summary>While an answer is awaited there is none: whoever was asked ends by the timeout.</summary>
    public Instant Deadline => asked != 0 ? Instant.Never : next;

    /// <summary>Another check of the same backend: it counts as what it was until that says something else.</summary>
    public void Change(HealthPlan plan, Instant now)
    {
        Plan = plan;
        failures = 0;
        asked = 0;
        isFirst = true;
        next = now + Part(Shorter(plan.Interval, FirstWithin), prng);
    }

    /// <param name="number">Of this question alone.</param>
    public void Ask(long number, Instant now)
    {
        Invariant.Holds(asked == 0 && next <= now, "a backend is asked when it is due, one question at a time");
        asked = number;
        next = now + (isFirst ? Plan.Interval - Part(Plan.Interval / 2, prng) : Plan.Interval);
        isFirst = false;
    }

    /// <param name="fault">Null: it is well.</param>
    /// <returns>Whether it is another health than before.</returns>
    public bool Answer(long number, string? fault, Instant now)
    {
        if (number != asked || number == 0)
        {
            return false;
        }

        EndpointHealth before = Health;
        asked = 0;
        Reason = fault ?? "";
        if (fault is null)
        {
            failures = 0;
            Health = EndpointHealth.Healthy;
        }
        else if (Health != EndpointHealth.Starting || now - began >= Plan.StartPeriod)
        {
            failures = Math.Min(failures + 1, Plan.Retries);
            Health = failures == Plan.Retries ? EndpointHealth.Unhealthy : Health;
        }

        return Health != before;
    }

    private static TimeSpan Shorter(TimeSpan left, TimeSpan right) => left < right ? left : right;

    private static TimeSpan Part(TimeSpan whole, Prng prng) => TimeSpan.FromMilliseconds(prng.Next((int)whole.TotalMilliseconds + 1));
}

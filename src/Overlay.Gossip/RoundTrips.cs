namespace Overlay.Gossip;

/// <summary>How long this node's probes take: mean and deviation, smoothed as TCP does (RFC 6298).</summary>
internal sealed class RoundTrips(SwimOptions options)
{
    /// <summary>Fewer say nothing.</summary>
    private const int MinSamples = 4;

    private double mean;
    private double deviation;
    private int samples;

    public void Add(TimeSpan roundTrip)
    {
        double seconds = roundTrip.TotalSeconds;
        if (samples == 0)
        {
            mean = seconds;
            deviation = seconds / 2;
        }
        else
        {
            deviation = (0.75 * deviation) + (0.25 * Math.Abs(mean - seconds));
            mean = (0.875 * mean) + (0.125 * seconds);
        }

        samples = Math.Min(samples + 1, MinSamples);
    }

    /// <summary>How long a probe waits for its direct answer before others are asked too.</summary>
    /// <param name="estimate">Seconds to this peer and back where its place is known, else as long as to others.</param>
    public TimeSpan Timeout(double? estimate)
    {
        if (samples < MinSamples || options.MinProbeTimeout >= options.ProbeTimeout)
        {
            return options.ProbeTimeout;
        }

        TimeSpan timeout = TimeSpan.FromSeconds((2 * Math.Max(estimate ?? 0, mean)) + (4 * deviation));
        return timeout < options.MinProbeTimeout ? options.MinProbeTimeout
            : timeout > options.ProbeTimeout ? options.ProbeTimeout
            : timeout;
    }
}

namespace Overlay.Gossip.Coordinates;

/// <summary>Which of some random members a probe is relayed through.</summary>
internal static class Detours
{
    /// <summary>So many candidates are drawn for each relay: enough to avoid far ones, few enough to spread the work.</summary>
    public const int Choice = 3;

    /// <summary>Those whose way to the target is the shortest; where nobody knows better, as they were drawn.</summary>
    public static List<MemberEntry> Choose(List<MemberEntry> candidates, MemberEntry target, Place own, int count)
    {
        if (candidates.Count <= count || target.Position is not { } there)
        {
            return candidates.Count <= count ? candidates : candidates[..count];
        }

        return [.. candidates.OrderBy(c => LengthBy(c, there.Place, own)).Take(count)];
    }

    /// <summary>Seconds from here by the relay to the target; of a relay that was never measured, none is known.</summary>
    private static double LengthBy(MemberEntry relay, Place target, Place own) =>
        relay.Position is { } at ? own.SecondsTo(at.Place) + at.Place.SecondsTo(target) : double.MaxValue;
}

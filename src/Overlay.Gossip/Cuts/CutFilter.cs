using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip.Cuts;

/// <summary>
/// Releases losses together: those that fall into one short window, and those that several observers see coming, are
/// one cut, so that forwarding, names and balancing change once (Rapid, ATC'18, §4, has the idea; here each node cuts
/// for itself). A member that is lost again soon after its return is flapping: its next return counts only after a
/// quiet time that doubles with each further flap.
/// </summary>
internal sealed class CutFilter(SwimOptions options)
{
    private const int MaxFlaps = 16;

    private readonly SortedDictionary<string, MemberEntry> departing = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, MemberEntry> quiet = new(StringComparer.Ordinal);
    private Instant first;
    private Instant releaseAt = Instant.Never;

    public Instant NextDeadline => quiet.Count == 0
        ? releaseAt
        : Instant.Min(releaseAt, quiet.Values.Min(static m => m.Standing.QuietUntil!.Value));

    /// <summary>The member is lost; it stays visible until the cut is released.</summary>
    public void Lost(MemberEntry member, Instant now)
    {
        if (member.Standing.Departing)
        {
            return;
        }

        if (options.CutWindow <= TimeSpan.Zero)
        {
            Lose(member, now);
            return;
        }

        member.Standing.Departing = true;
        departing[member.Name] = member;
        if (releaseAt == Instant.Never)
        {
            first = now;
            releaseAt = now + options.CutWindow;
        }
    }

    /// <summary>The member is live again.</summary>
    public void Returned(MemberEntry member, Instant now)
    {
        Standing standing = member.Standing;
        if (departing.Remove(member.Name))
        {
            // Nobody was told of the loss: there is nothing to take back.
            standing.Departing = false;
            releaseAt = departing.Count == 0 ? Instant.Never : releaseAt;
        }
        else if (standing.WasLost)
        {
            standing.WasLost = false;
            standing.ReturnedAt = now;
            if (standing.Flaps > 0 && options.FlapQuiet > TimeSpan.Zero)
            {
                double doubled = options.FlapQuiet.TotalSeconds * Math.Pow(2, standing.Flaps - 1);
                Hold(member, now + TimeSpan.FromSeconds(Math.Min(doubled, options.MaxFlapQuiet.TotalSeconds)));
            }
            else if (standing.UnsteadyUntil > now)
            {
                Hold(member, standing.UnsteadyUntil.Value);
            }
        }
    }

    /// <summary>The member is not unsteady after all; where it flapped it stays held down for that.</summary>
    public static void Release(MemberEntry member, Instant now)
    {
        if (member.Standing is { QuietUntil: not null, Flaps: 0 })
        {
            member.Standing.QuietUntil = now;
        }
    }

    /// <summary>The member counts for nothing before then, though it lives.</summary>
    public void Hold(MemberEntry member, Instant until)
    {
        member.Standing.QuietUntil = until;
        quiet[member.Name] = member;
    }

    /// <summary>The member is dead or gone while its return did not count yet, or it left by itself.</summary>
    public void Dropped(MemberEntry member)
    {
        departing.Remove(member.Name);
        releaseAt = departing.Count == 0 ? Instant.Never : releaseAt;
        member.Standing.Departing = false;
        if (quiet.Remove(member.Name))
        {
            member.Standing.QuietUntil = null;
            member.Standing.WasLost = true;
            member.Standing.Flaps = Math.Min(MaxFlaps, member.Standing.Flaps + 1);
        }
    }

    /// <summary>What is released now: lost ones of one cut, and flapping ones that kept quiet.</summary>
    /// <param name="moreAreComing">Several observers accuse others whose time is nearly up.</param>
    public IReadOnlyList<MemberEntry> Advance(Instant now, Func<bool> moreAreComing)
    {
        List<MemberEntry> released = [];
        foreach (MemberEntry member in quiet.Values.Where(m => m.Standing.QuietUntil <= now).ToList())
        {
            if (member.State == MemberState.Alive)
            {
                quiet.Remove(member.Name);
                member.Standing.QuietUntil = null;
                member.Standing.ReturnedAt = now;
                released.Add(member);
            }
            else
            {
                member.Standing.QuietUntil = now + options.GossipInterval;
            }
        }

        if (now < releaseAt)
        {
            return released;
        }

        if (now - first < options.MaxCutWindow && moreAreComing())
        {
            releaseAt = now + (options.CutWindow * 0.5);
            return released;
        }

        foreach (MemberEntry member in departing.Values)
        {
            Lose(member, now);
            released.Add(member);
        }

        departing.Clear();
        releaseAt = Instant.Never;
        return released;
    }

    private void Lose(MemberEntry member, Instant now)
    {
        Standing standing = member.Standing;
        standing.Departing = false;
        standing.WasLost = true;
        standing.Flaps = standing.ReturnedAt is { } back && now - back <= options.FlapWindow
            ? Math.Min(MaxFlaps, standing.Flaps + 1)
            : 0;
    }
}

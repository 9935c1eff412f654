using System.Text;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// The members and the rules by which news changes them (memberlist's, with stored incarnations that never go down,
/// boot ids, and a fresh suspicion for a higher incarnation). The order of news about one incarnation is
/// alive &lt; suspect &lt; dead &lt; left; a higher incarnation outdates a lower; a higher boot outdates everything.
/// </summary>
internal sealed partial class MemberList(
    MemberEntry self,
    BroadcastQueue rumours,
    SwimOptions options,
    Prng prng,
    Awareness awareness,
    GossipCounters counters)
{
    private const int MaxToConfirm = 8;

    /// <summary>From so many waiting rumours on, each is told less often.</summary>
    private const int Crowded = 64;

    private readonly MemberIndex others = new();
    private readonly SortedDictionary<string, MemberEntry> suspects = new(StringComparer.Ordinal);

    /// <summary>When suspicions end; a line that its suspicion outdated is dropped when it comes first.</summary>
    private readonly PriorityQueue<MemberEntry, long> verdicts = new();

    /// <summary>This node and its answers to what is said of it.</summary>
    public Reputation Own { get; } = new(self, rumours, awareness, counters);

    public MemberEntry Self => Own.Self;

    public ProbeRing Ring { get; } = new(prng);

    public BroadcastQueue Rumours => rumours;

    public Obituaries Obituaries { get; } = new();

    /// <summary>Names whose liveness or boot changed since the reader last looked; it clears them.</summary>
    public List<string> Changed { get; } = [];

    /// <summary>Those that objected to an accusation since the reader last looked; it clears them.</summary>
    public List<MemberEntry> Objected { get; } = [];

    /// <summary>When the last readable packet came.</summary>
    public Instant HeardAt { get; set; }

    /// <summary>Suspects that this node probes next, out of turn.</summary>
    public Queue<MemberEntry> ToConfirm { get; } = new();

    /// <summary>Live members, this one included.</summary>
    public int LiveCount { get; private set; } = 1;

    /// <summary>How often a rumour is told: less often where so many wait that exchanges are the quicker way.</summary>
    public int TransmitLimit => LimitOf(options.RetransmitMultiplier);

    /// <summary>How often an accusation is told. It must reach the accused, who is asked too; an objection all.</summary>
    public int AccusationLimit => LimitOf(options.AccusationMultiplier);

    public Instant NextDeadline
    {
        get
        {
            while (verdicts.TryPeek(out MemberEntry? suspect, out long at))
            {
                if (suspect.Suspicion?.Deadline.Nanoseconds == at)
                {
                    return Instant.Min(new(at), Cuts.NextDeadline);
                }

                verdicts.Dequeue();
            }

            return Cuts.NextDeadline;
        }
    }

    /// <summary>Sorted by name.</summary>
    public IReadOnlyList<MemberEntry> Others => others.Sorted;

    public MemberEntry? Find(ReadOnlySpan<char> name) =>
        name.SequenceEqual(Self.Name) ? Self : others.Find(name);

    public bool IsSelf(string name) => string.Equals(name, Self.Name, StringComparison.Ordinal);

    public void Apply(GossipMessage.Alive news, Instant now, GossipEffects e)
    {
        if (news.BootId == 0 && Tags.BootOf(news.Meta) is > 0 and ulong boot)
        {
            // One of ours, as a foreigner passed it on.
            news = news with { BootId = boot };
        }

        if (news.BootId > Protocol.MaxBootId
            || !IsAcceptable(Encoding.UTF8.GetByteCount(news.Node), news.Address.Port, news.Meta.Length, news.Versions))
        {
            counters.Refused++;
        }
        else if (IsSelf(news.Node))
        {
            Own.Hear(news, now, e);
        }
        else if (Obituaries.Refuses(news.Node, news.BootId, news.Incarnation))
        {
            counters.Stale++;
        }
        else
        {
            HearAlive(news, now, e);
        }
    }

    public void Apply(GossipMessage.Suspect news, Instant now, GossipEffects e)
    {
        if (Heard(Find(news.Node), news.Incarnation, news.Life) is { } member)
        {
            Suspect(member, news.Incarnation, news.From, now, e);
        }
    }

    public void Apply(GossipMessage.Dead news, Instant now, GossipEffects e)
    {
        if (Heard(Find(news.Node), news.Incarnation, news.Life) is { } member)
        {
            Bury(member, news.Incarnation, news.From, news.Witnesses, now, e);
        }
    }

    private void Suspect(MemberEntry member, uint incarnation, string from, Instant now, GossipEffects e)
    {
        if (ReferenceEquals(member, Self))
        {
            Own.Refute(incarnation);
        }
        else if (member.State == MemberState.Alive)
        {
            BeginSuspicion(member, incarnation, from, now, e);
        }
        else if (member.Suspicion is null)
        {
            counters.Stale++;
        }
        else if (incarnation > member.Incarnation && options.RestartsSuspicions)
        {
            // The suspect objected to the running suspicion already; this is a new one, with its own time.
            BeginSuspicion(member, incarnation, from, now, e);
        }
        else if (member.Suspicion.Confirm(from, now))
        {
            verdicts.Enqueue(member, member.Suspicion.Deadline.Nanoseconds);
            Rumours.Add(member.Name, new GossipMessage.Suspect(incarnation, member.Name, from) { Life = LifeOf(member) });
        }
        else
        {
            counters.Stale++;
        }

        member.Incarnation = Math.Max(member.Incarnation, incarnation);
    }

    private void Bury(MemberEntry member, uint incarnation, string from, uint witnesses, Instant now, GossipEffects e)
    {
        if (ReferenceEquals(member, Self))
        {
            Own.Refute(incarnation);
            return;
        }

        MemberState state = string.Equals(from, member.Name, StringComparison.Ordinal)
            ? MemberState.Left
            : MemberState.Dead;
        member.Incarnation = Math.Max(member.Incarnation, incarnation);
        if (member.State >= state)
        {
            counters.Stale++;
            if (witnesses > 0 && member is { State: MemberState.Dead, HeldUntil: not null, Evidence.Answers: not true })
            {
                EndHold(member, now, e);
            }

            return;
        }

        if (witnesses > 0 && member.Evidence?.Answers != true)
        {
            // Several looked at its host already; only what this node saw of it itself says otherwise.
            member.Evidence = new() { Answers = false };
        }

        Rumours.Add(member.Name, new GossipMessage.Dead(incarnation, member.Name, from)
        {
            Life = LifeOf(member),
            Witnesses = witnesses,
        });
        Change(member, state, now, e);
    }

    /// <summary>What is said of a member that is suspected or dead.</summary>
    /// <param name="from">Who says so; the member itself says that it leaves.</param>
    public GossipMessage.Suspect Suspicion(MemberEntry member, string from) =>
        new(member.Incarnation, member.Name, from) { Life = LifeOf(member) };

    /// <inheritdoc cref="Suspicion"/>
    public GossipMessage.Dead Death(MemberEntry member, string from) =>
        new(member.Incarnation, member.Name, from) { Life = LifeOf(member) };

    /// <summary>Suspects whose time is up are dead.</summary>
    public void Advance(Instant now, GossipEffects e)
    {
        if (NextDeadline > now)
        {
            return;
        }

        // Who hears nobody at all is no witness: the objection may wait in its own queue.
        bool isDeaf = options.HoldsVerdictsWhileDeaf && now - HeardAt > options.ProbeInterval * 1.5;
        List<MemberEntry> due = [.. suspects.Values.Where(s => s.Suspicion!.Deadline <= now)];
        foreach (MemberEntry member in due)
        {
            if (isDeaf && member.Suspicion!.PutOff(now + (options.ProbeInterval * 0.25)))
            {
                verdicts.Enqueue(member, member.Suspicion.Deadline.Nanoseconds);
                continue;
            }

            Apply(Death(member, Self.Name), now, e);
        }

        ReleaseCuts(now, e);
    }

    /// <summary>Removes the member without remembering its removal.</summary>
    public bool Remove(string name, GossipEffects e)
    {
        if (!others.Remove(name, out MemberEntry? member))
        {
            return false;
        }

        suspects.Remove(name);
        Watch(member, null);
        Touch(member, isMember: false);
        Cuts.Dropped(member);
        LiveCount -= member.IsLive ? 1 : 0;
        member.State = MemberState.Dead;
        member.HeldUntil = null;
        member.Suspicion = null;
        Ring.Remove(member);
        Rumours.Remove(name);
        Changed.Add(name);
        e.Events.Add(new GossipEvent.MemberForgotten(name));
        return true;
    }

    private void HearAlive(GossipMessage.Alive news, Instant now, GossipEffects e)
    {
        if (!others.TryGet(news.Node, out MemberEntry? member))
        {
            // A name is shown to people: it shall not move their cursor.
            if (others.Count >= options.MaxMembers || news.Node.Any(char.IsControl))
            {
                counters.Refused++;
                return;
            }

            member = new(news.Node, news.Address) { Since = now };
            others.Add(member);
            Ring.Insert(member);
            Adopt(member, news, news.Incarnation, null, now, e);
            return;
        }

        bool newLife = news.BootId > member.BootId;
        if (IsStale(member, news.Incarnation, news.BootId))
        {
            counters.Stale++;
            return;
        }

        if (!newLife && !member.Address.Equals(news.Address) && !MayMove(member, news, now))
        {
            counters.Refused++;
            member.ReportConflict(news.Address, now, e);
            return;
        }

        if (newLife)
        {
            // What was said of the former life must not hit the new one, which counts from one again.
            member.Floor = Math.Max(news.Incarnation, member.Incarnation + 1);
        }

        uint incarnation = !newLife ? Math.Max(news.Incarnation, member.Incarnation)
            : options.Extends ? news.Incarnation
            : member.Floor;
        Adopt(member, news, incarnation, member.State, now, e);
    }

    private static bool IsStale(MemberEntry member, uint incarnation, ulong bootId)
    {
        if (bootId > member.BootId)
        {
            return false;
        }

        if (bootId != 0 && bootId < member.BootId)
        {
            return true;
        }

        // A description below the accusations of a former life is news as long as nobody accuses this one.
        uint known = member.State == MemberState.Alive ? member.Described : member.Incarnation;
        return incarnation <= known || incarnation > (ulong)member.Incarnation + Protocol.MaxIncarnationStep;
    }

    private bool MayMove(MemberEntry member, GossipMessage.Alive news, Instant now) =>
        (news.BootId != 0 && news.BootId == member.BootId)
        || member.State == MemberState.Left
        || (member.State == MemberState.Dead && now - member.Since >= options.GossipToTheDead);

    private void Adopt(
        MemberEntry member,
        GossipMessage.Alive news,
        uint incarnation,
        MemberState? previous,
        Instant now,
        GossipEffects e)
    {
        bool visible = previous != MemberState.Alive
            || member.BootId != news.BootId
            || !member.Address.Equals(news.Address)
            || !member.Meta.AsSpan().SequenceEqual(news.Meta);
        bool wasLive = previous is not null && member.IsLive;
        bool reborn = member.BootId != news.BootId;
        member.Address = news.Address;
        member.Meta = news.Meta;
        member.Versions = news.Versions;
        member.BootId = Math.Max(member.BootId, news.BootId);
        member.Described = news.Incarnation;
        member.Incarnation = incarnation;
        member.Suspicion = null;
        suspects.Remove(member.Name);
        Watch(member, null);
        member.HeldUntil = null;
        member.IsDegraded &= !reborn;
        if (!merging)
        {
            Rumours.Add(member.Name, news);
        }

        if (member.State != MemberState.Alive)
        {
            member.State = MemberState.Alive;
            member.Since = now;
        }

        Touch(member);

        if (previous == MemberState.Suspect && !reborn)
        {
            Objected.Add(member);
        }

        if (!wasLive)
        {
            LiveCount++;
            Cuts.Returned(member, now);
        }

        if (!wasLive || reborn)
        {
            member.LiveSince = now;
            Changed.Add(member.Name);
        }

        if (visible)
        {
            e.Events.Add(new GossipEvent.MemberChanged(member.ToMember(), previous));
        }
    }

    private void BeginSuspicion(MemberEntry member, uint incarnation, string from, Instant now, GossipEffects e)
    {
        member.Incarnation = incarnation;
        member.Suspicion = new(options, LiveCount, from, now);
        suspects[member.Name] = member;
        verdicts.Enqueue(member, member.Suspicion.Deadline.Nanoseconds);
        Watch(member, IsHoldable(member) ? new() : null);
        Rumours.Add(member.Name, new GossipMessage.Suspect(incarnation, member.Name, from) { Life = LifeOf(member) });
        if (member.State != MemberState.Suspect)
        {
            Change(member, MemberState.Suspect, now, e);
        }

        if (!IsSelf(from) && ToConfirm.Count < MaxToConfirm
            && prng.NextDouble() * LiveCount < options.ConfirmingProbes)
        {
            ToConfirm.Enqueue(member);
        }
    }

    private void Change(MemberEntry member, MemberState state, Instant now, GossipEffects e)
    {
        MemberState previous = member.State;
        bool wasLive = member.IsLive;
        bool wasPresent = member.IsPresent;
        member.State = state;
        member.Since = now;
        LastDeathAt = state == MemberState.Dead ? now : LastDeathAt;
        Touch(member);
        if (state != MemberState.Suspect)
        {
            member.Suspicion = null;
            suspects.Remove(member.Name);
        }

        HoldOrRelease(member, now);
        LiveCount += member.IsLive == wasLive ? 0 : member.IsLive ? 1 : -1;
        if (wasPresent != member.IsPresent)
        {
            Changed.Add(member.Name);
        }

        e.Events.Add(new GossipEvent.MemberChanged(member.ToMember(), previous));
    }

    private int LimitOf(int multiplier)
    {
        int limit = BroadcastQueue.TransmitLimit(multiplier, LiveCount);
        return options.ComparesDigests && rumours.Count > Crowded
            ? Math.Max(options.GossipNodes, limit * Crowded / rumours.Count)
            : limit;
    }

    private ushort LifeOf(MemberEntry member) => options.Extends ? member.Life : (ushort)0;

    /// <summary>
    /// The common beginning of an accusation: of a known member, and neither of another life of it than the one known here
    /// nor of an outdated incarnation. Who accuses a former life of this node does not know the present one, and is told.
    /// </summary>
    private MemberEntry? Heard(MemberEntry? accused, uint incarnation, ushort life)
    {
        if (accused is null || (ReferenceEquals(accused, Self) && Own.HasLeft))
        {
            return null;
        }

        if (life != 0 && accused.Life != 0 && life != accused.Life)
        {
            if (ReferenceEquals(accused, Self))
            {
                Own.Remind();
            }

            counters.Stale++;
            return null;
        }

        // Who names the life speaks of its incarnations, which everybody counts alike; who does not may mean a former one.
        if (incarnation < accused.Incarnation || (life == 0 && incarnation < accused.Floor))
        {
            counters.Stale++;
            return null;
        }

        if (incarnation > (ulong)accused.Incarnation + Protocol.MaxIncarnationStep)
        {
            counters.Refused++;
            return null;
        }

        return accused;
    }

    private bool IsAcceptable(int nameBytes, int port, int metaBytes, ReadOnlySpan<byte> versions) =>
        nameBytes > 0
        && nameBytes <= options.MaxNameBytes
        && port != 0
        && metaBytes <= options.MaxMetaBytes
        && Protocol.IsUsable(versions);
}

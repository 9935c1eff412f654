using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>What exchanges bring, and the digest that tells whether one is needed.</summary>
internal sealed partial class MemberList
{
    /// <summary>More disagreements about who lives than this, and it is not a crash but the end of a partition.</summary>
    private const int FewDisagreements = 2;
    private const int MaxDoubtful = 1024;

    private ulong prints;
    private int printed;
    private bool successorIsOld = true;
    private MemberEntry? successor;

    /// <summary>What is learnt by an exchange of differences needs no rumour: exchanges carry it on.</summary>
    private bool merging;

    /// <summary>Members about whose life a peer and this node disagree; the reader asks them, and clears the list.</summary>
    public List<MemberEntry> Doubtful { get; } = [];

    /// <summary>Equal on nodes that agree who lives and what the living said last; see <see cref="MemberDigest"/>.</summary>
    public ulong Digest => Self.IsLive
        ? MemberDigest.Of(prints + MemberDigest.PrintOf(Self), printed + 1)
        : MemberDigest.Of(prints, printed);

    /// <summary>Members that are dead, not counting those that left.</summary>
    public int DeadCount { get; private set; }

    public Instant LastDeathAt { get; private set; }

    /// <summary>The next live member after this one in the order of the names' hashes, around the end.</summary>
    public MemberEntry? Successor
    {
        get
        {
            if (!successorIsOld)
            {
                return successor;
            }

            successorIsOld = false;
            MemberEntry? nearest = null;
            IReadOnlyList<MemberEntry> all = Others;
            for (int i = 0; i < all.Count; i++)
            {
                if (all[i].IsLive && (nearest is null || all[i].NameHash - Self.NameHash < nearest.NameHash - Self.NameHash))
                {
                    nearest = all[i];
                }
            }

            return successor = nearest;
        }
    }

    /// <summary>Something of the member changed that the digest, the count of the dead or the successor is made of.</summary>
    /// <param name="isMember">False: it is none any more.</param>
    private void Touch(MemberEntry member, bool isMember = true)
    {
        prints -= member.Print;
        printed -= member.Print == 0 ? 0 : 1;
        member.Print = isMember && member.IsLive ? MemberDigest.PrintOf(member) : 0;
        prints += member.Print;
        printed += member.Print == 0 ? 0 : 1;
        bool isDead = isMember && member.State == MemberState.Dead;
        DeadCount += isDead == member.IsCountedDead ? 0 : isDead ? 1 : -1;
        member.IsCountedDead = isDead;
        if (member.Print != 0 && !successorIsOld
            && (successor is null || member.NameHash - Self.NameHash < successor.NameHash - Self.NameHash))
        {
            successor = member;
        }

        successorIsOld |= member.Print == 0 && ReferenceEquals(successor, member);
    }

    /// <summary>Adds members without telling anybody.</summary>
    public void Acquaint(IEnumerable<PushPullNode> lines, Instant now)
    {
        foreach (PushPullNode line in lines)
        {
            if (Find(line.Name) is not null)
            {
                continue;
            }

            MemberEntry member = new(line.Name, line.Address)
            {
                Meta = line.Meta,
                Versions = line.Versions,
                Incarnation = line.Incarnation,
                Described = line.Incarnation,
                State = line.State,
                Since = now,
                BootId = line.BootId,
            };
            others.Add(member);
            Ring.Insert(member);
            LiveCount += member.IsLive ? 1 : 0;
            Touch(member);
        }
    }

    /// <summary>
    /// Takes what a peer sent of its members. Where it calls many dead that live here, or the other way round, those
    /// are asked themselves: one word of theirs settles it, where suspicions would flood everybody.
    /// </summary>
    /// <param name="accuser">Who says so; accusations are counted by name.</param>
    public void Merge(IReadOnlyList<PushPullNode> lines, string accuser, Instant now, GossipEffects e)
    {
        int disagreements = 0;
        int count = Math.Min(lines.Count, options.MaxMembers + 1);
        for (int i = 0; i < count; i++)
        {
            disagreements += lines[i].State == MemberState.Dead && Find(lines[i].Name) is { IsLive: true } ? 1 : 0;
        }

        bool many = disagreements > Math.Max(FewDisagreements, LiveCount / 20);
        merging = options.ComparesDigests;
        for (int i = 0; i < count; i++)
        {
            PushPullNode line = lines[i];
            if (options.ComparesDigests && Find(line.Name) is { IsOurs: true } member && !ReferenceEquals(member, Self)
                && line.BootId == member.BootId && IsDoubtful(line, member, many))
            {
                Doubt(member, line.Incarnation);
            }
            else
            {
                Apply(line, accuser, now, e);
            }
        }

        merging = false;
    }

    /// <summary>One line of an exchange. A peer's dead are suspected only, so that a live one can object.</summary>
    public void Apply(PushPullNode line, string accuser, Instant now, GossipEffects e)
    {
        if (line.BootId == 0 && Tags.BootOf(line.Meta) is > 0 and ulong boot)
        {
            line = line with { BootId = boot };
        }

        if (IsSelf(line.Name) && line.BootId > Self.BootId && line.BootId <= Protocol.MaxBootId
            && line.State >= MemberState.Dead)
        {
            // A former life with a later clock, at an address that may be another one.
            Own.OutbidBootId = Math.Max(Own.OutbidBootId, line.BootId);
        }

        switch (line.State)
        {
            case MemberState.Alive:
                Apply(new GossipMessage.Alive(
                    line.Incarnation, line.Name, line.Address, line.Meta, line.Versions, line.BootId), now, e);
                break;
            case MemberState.Left:
                if (!IsOldLife(line))
                {
                    Apply(new GossipMessage.Dead(line.Incarnation, line.Name, line.Name) { Life = LifeOf(line) }, now, e);
                }

                break;
            default:
                if (!IsOldLife(line))
                {
                    Apply(new GossipMessage.Suspect(line.Incarnation, line.Name, accuser) { Life = LifeOf(line) }, now, e);
                }

                break;
        }
    }

    /// <summary>Of this node's former life more must be said than that it is over: foreigners know incarnations only.</summary>
    private ushort LifeOf(PushPullNode line) =>
        options.Extends && !IsSelf(line.Name) ? MemberDigest.LifeOf(line.BootId) : (ushort)0;

    private static bool IsDoubtful(PushPullNode line, MemberEntry member, bool many) =>
        line.Incarnation <= (ulong)member.Incarnation + Protocol.MaxIncarnationStep
        && (line.State == MemberState.Alive
            ? member.State == MemberState.Dead && line.Incarnation <= member.Incarnation
            : many && line.State == MemberState.Dead && member.State == MemberState.Alive
                && line.Incarnation >= member.Incarnation);

    private void Doubt(MemberEntry member, uint incarnation)
    {
        member.Incarnation = Math.Max(member.Incarnation, incarnation);
        if (Doubtful.Count < MaxDoubtful)
        {
            Doubtful.Add(member);
        }
    }

    private bool IsOldLife(PushPullNode line) =>
        Find(line.Name) is { } member && line.BootId != 0 && line.BootId < member.BootId
        && (!ReferenceEquals(member, Self) || line.Incarnation < Self.Incarnation);
}

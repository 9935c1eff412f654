using System.Text;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// News as packets bring it. Nearly all of it is known, and that is told from the bytes: only what changes something
/// becomes an object.
/// </summary>
internal sealed partial class MemberList
{
    public MemberEntry? Find(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length > WireLimits.MaxName)
        {
            return null;
        }

        Span<char> name = stackalloc char[WireLimits.MaxName];
        return Find(name[..Encoding.UTF8.GetChars(utf8, name)]);
    }

    /// <summary>The name as text: of a member, the one that is there.</summary>
    public string NameOf(ReadOnlySpan<byte> utf8) => Find(utf8)?.Name ?? MessageFields.TextOf(utf8);

    public void HearAlive(in MessageFields news, Instant now, GossipEffects e)
    {
        MemberEntry? member = Find(news.Node);
        if (member is null || !IsKnown(member, news))
        {
            Apply(news.ToAlive(member?.Name ?? MessageFields.TextOf(news.Node)), now, e);
        }
        else if (!ReferenceEquals(member, Self))
        {
            counters.Stale++;
        }
    }

    public void HearSuspect(in MessageFields news, Instant now, GossipEffects e)
    {
        if (Heard(Find(news.Node), news.Incarnation, news.Life) is { } member)
        {
            Suspect(member, news.Incarnation, NameOf(news.From), now, e);
        }
    }

    public void HearDead(in MessageFields news, Instant now, GossipEffects e)
    {
        if (Heard(Find(news.Node), news.Incarnation, news.Life) is { } member)
        {
            Bury(member, news.Incarnation, NameOf(news.From), news.Witnesses, now, e);
        }
    }

    private bool IsKnown(MemberEntry member, in MessageFields news)
    {
        ulong bootId = news.BootId == 0 ? Tags.BootOf(news.Meta) : news.BootId;
        return IsAcceptable(news.Node.Length, news.Port, news.Meta.Length, news.Versions)
            && (ReferenceEquals(member, Self) ? Own.Knows(news, bootId) : IsStale(member, news.Incarnation, bootId));
    }
}

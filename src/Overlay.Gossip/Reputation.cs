using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>What others say of this node, and what it answers: it alone raises its incarnation.</summary>
internal sealed class Reputation(
    MemberEntry self, BroadcastQueue rumours, Awareness awareness, GossipCounters counters)
{
    public MemberEntry Self => self;

    /// <summary>Leaving or gone: accusations are true now.</summary>
    public bool HasLeft { get; private set; }

    /// <summary>Someone said that our boot id is taken: a higher one is needed. Cleared by the reader.</summary>
    public ulong OutbidBootId { get; set; }

    /// <summary>Whether <see cref="Hear"/> would change nothing: this node said so itself, or has said more since.</summary>
    public bool Knows(in MessageFields news, ulong bootId) =>
        !HasLeft && bootId <= self.BootId && news.EndPoint.Is(self.Address)
        && (news.Incarnation < self.Incarnation
            || (news.Incarnation == self.Incarnation && (bootId == 0 || bootId == self.BootId)
                && news.Meta.SequenceEqual(self.Meta)));

    public void Hear(GossipMessage.Alive news, Instant now, GossipEffects e)
    {
        if (HasLeft || news.Incarnation > (ulong)self.Incarnation + Protocol.MaxIncarnationStep)
        {
            counters.Refused++;
        }
        else if (news.BootId != 0 && news.BootId < self.BootId)
        {
            // Our former life: what we say now must outdate what it said.
            if (news.Incarnation >= self.Incarnation)
            {
                self.Incarnation = news.Incarnation;
                Redescribe();
            }
        }
        else if (!news.Address.Equals(self.Address))
        {
            counters.Refused++;
            self.ReportConflict(news.Address, now, e);
        }
        else if (news.BootId > self.BootId)
        {
            // A former life with a later clock: only a higher boot id is believed.
            OutbidBootId = Math.Max(OutbidBootId, news.BootId);
            self.Incarnation = Math.Max(self.Incarnation, news.Incarnation);
        }
        else if (news.Incarnation > self.Incarnation
            || (news.Incarnation == self.Incarnation && !news.Meta.AsSpan().SequenceEqual(self.Meta)))
        {
            Refute(news.Incarnation);
        }
    }

    /// <summary>Objects to what is said of this incarnation.</summary>
    public void Refute(uint accused)
    {
        counters.Refutations++;
        awareness.Add(1);
        self.Incarnation = Math.Max(self.Incarnation, accused);
        Redescribe();
    }

    /// <summary>Says once more what it said; a new life outdates all that is said of a former one as it is.</summary>
    public void Remind() => rumours.Add(self.Name, self.ToAlive());

    /// <summary>Says anew what this node is.</summary>
    public void Redescribe()
    {
        self.Incarnation++;
        self.Described = self.Incarnation;
        rumours.Add(self.Name, self.ToAlive());
    }

    /// <summary>This node says of itself that it is gone.</summary>
    public void Leave(GossipMessage.Dead farewell, Instant now)
    {
        HasLeft = true;
        self.State = MemberState.Left;
        self.Since = now;
        rumours.Add(self.Name, farewell);
    }
}

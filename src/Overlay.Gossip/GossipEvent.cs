using System.Net;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip;

/// <summary>What the layer above should know of.</summary>
public abstract record GossipEvent
{
    private GossipEvent()
    {
    }

    /// <summary>A member's state, presence, address, meta or boot changed.</summary>
    /// <param name="Previous">null: it was not known before.</param>
    public sealed record MemberChanged(Member Member, MemberState? Previous) : GossipEvent;

    /// <summary>This node declared the member dead, because so many observers found silence.</summary>
    public sealed record Judged(string Name, int Witnesses) : GossipEvent;

    /// <summary>The set of members that count changed: everything lost or gained at once is one epoch.</summary>
    public sealed record ViewChanged(
        long Epoch, IReadOnlyList<string> Lost, IReadOnlyList<string> Gained) : GossipEvent;

    /// <summary>The member and all its entries are gone by <see cref="Swim.Forget"/> or because of their age.</summary>
    public sealed record MemberForgotten(string Name) : GossipEvent;

    /// <summary>A visible entry changed, the own ones too.</summary>
    /// <param name="Value">null: deleted, or hidden because its owner is dead, gone or no longer attached.</param>
    public sealed record EntryChanged(
        string Network, string Owner, string Key, ReadOnlyMemory<byte>? Value) : GossipEvent;

    /// <summary>A seed answered.</summary>
    /// <param name="Members">How many members it told of.</param>
    public sealed record Joined(IPEndPoint Seed, int Members) : GossipEvent;

    /// <summary>A seed did not answer; it is tried again without being asked.</summary>
    public sealed record JoinFailed(IPEndPoint Seed, string Text) : GossipEvent;

    /// <summary>Leaving is over: enough peers were told, or the time ran out.</summary>
    public sealed record Left : GossipEvent;

    /// <summary>Somebody else uses this member's name. Told at most once a minute for each name.</summary>
    public sealed record NameConflict(string Name, IPEndPoint Known, IPEndPoint Claimed) : GossipEvent;

    /// <summary>A member answers by TCP but not by UDP, directly or through relays: most likely a firewall.</summary>
    public sealed record UdpUnreachable(string Name, IPEndPoint Address) : GossipEvent;
}

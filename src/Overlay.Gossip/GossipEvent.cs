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

    /// <summary>Somebody's user event of serf's layer, this node's own too; each is told once.</summary>
    /// <param name="Time">By the events' Lamport clock.</param>
    public sealed record UserEvent(ulong Time, string Name, ReadOnlyMemory<byte> Payload) : GossipEvent;

    /// <summary>A member has a query of this node, or answers it.</summary>
    /// <param name="Payload">null: it only says that it has it.</param>
    public sealed record QueryAnswered(uint Query, string From, ReadOnlyMemory<byte>? Payload) : GossipEvent;

    /// <summary>The query's time is over.</summary>
    public sealed record QueryEnded(uint Query) : GossipEvent;

    /// <summary>A key query changed the keys that packets are sealed and opened with.</summary>
    public sealed record KeyringChanged(Keyring Keys) : GossipEvent;
}

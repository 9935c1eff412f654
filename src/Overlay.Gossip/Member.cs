using System.Net;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>One member as this node sees it.</summary>
/// <param name="Incarnation">Raised by the member alone, to outdate what others say about it.</param>
/// <param name="Since">When this node saw the state begin.</param>
/// <param name="BootId">Grows with every start of the member; 0 for foreign implementations.</param>
public sealed record Member(
    string Name,
    IPEndPoint Address,
    ReadOnlyMemory<byte> Meta,
    uint Incarnation,
    MemberState State,
    Instant Since,
    ulong BootId)
{
    /// <summary>What it is taken for: the state, but for the dead whose host still answers.</summary>
    public Presence Presence { get; init; } = PresenceOf(State);

    /// <summary>Its agent answers by TCP but not by UDP: most likely a firewall. It counts as alive.</summary>
    public bool IsDegraded { get; init; }

    /// <summary>Until when its return does not count, because it flaps; null: it counts.</summary>
    public Instant? QuietUntil { get; init; }

    /// <summary>Losses in a row, each soon after a return.</summary>
    public int Flaps { get; init; }

    /// <summary>Of another make: it takes part in gossip alone.</summary>
    public bool IsForeign => BootId == 0;

    /// <summary>Alive or suspect: what it says of itself still counts.</summary>
    public bool IsLive => State is MemberState.Alive or MemberState.Suspect;

    internal static Presence PresenceOf(MemberState state) => state switch
    {
        MemberState.Alive => Presence.Alive,
        MemberState.Suspect => Presence.Suspect,
        MemberState.Left => Presence.Left,
        _ => Presence.Dead,
    };
}

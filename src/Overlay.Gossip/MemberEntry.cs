using System.Net;
using Overlay.Gossip.Coordinates;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>What is known of one member.</summary>
internal sealed class MemberEntry(string name, IPEndPoint address)
{
    private Instant conflictQuietUntil;

    public string Name { get; } = name;

    /// <summary>The same on all nodes.</summary>
    public ulong NameHash { get; } = MemberDigest.HashOf(name);

    public IPEndPoint Address { get; set; } = address;

    public byte[] Meta { get; set; } = [];

    public byte[] Versions { get; set; } = Protocol.Versions;

    /// <summary>The highest incarnation that anyone spoke of. It never goes down.</summary>
    public uint Incarnation { get; set; }

    /// <summary>The incarnation of the last description in this life of the member; at most the one above.</summary>
    public uint Described { get; set; }

    public MemberState State { get; set; } = MemberState.Dead;

    public Instant Since { get; set; }

    /// <summary>When it appeared, returned from the dead, or began a new life.</summary>
    public Instant LiveSince { get; set; }

    public ulong BootId { get; set; }

    /// <summary>Accusations that do not name the life they mean are of a former one below this incarnation.</summary>
    public uint Floor { get; set; }

    /// <summary>What accusations of this life say of it; see <see cref="GossipMessage.Suspect.Life"/>.</summary>
    public ushort Life => MemberDigest.LifeOf(BootId);

    /// <summary>Where it said it is; null while no direct probe of ours was answered.</summary>
    public Position? Position { get; set; }

    /// <summary>Answers streams, but no packets, neither directly nor through relays.</summary>
    public bool IsDegraded { get; set; }

    /// <summary>It was asked, out of turn, whether it lives; not again before this.</summary>
    public Instant AskableAt { get; set; }

    /// <summary>Runs while the state is suspect.</summary>
    public Suspicion? Suspicion { get; set; }

    /// <summary>While the member is suspect or held.</summary>
    public HostEvidence? Evidence { get; set; }

    /// <summary>It is dead, but what it said stands until then, unless its host falls silent before; null: not held.</summary>
    public Instant? HeldUntil { get; set; }

    /// <summary>Its losses and returns as the layers above are told of them.</summary>
    public Cuts.Standing Standing { get; } = new();

    /// <summary>What it adds to the digest of the members; 0: nothing.</summary>
    public ulong Print { get; set; }

    public bool IsCountedDead { get; set; }

    /// <summary>Which alerts of this observer were counted; null: none yet.</summary>
    public Steadiness.ReplayWindow? AlertNumbers { get; set; }

    public bool IsLive => State is MemberState.Alive or MemberState.Suspect;

    /// <summary>What it says of itself is visible.</summary>
    public bool IsPresent => Presence is not (Presence.Dead or Presence.Left or Presence.HeldDown);

    public Presence Presence => State switch
    {
        _ when Standing.QuietUntil is not null && IsLive => Presence.HeldDown,
        MemberState.Alive when IsDegraded => Presence.Degraded,
        MemberState.Dead when HeldUntil is not null && Evidence?.Answers == true => Presence.AgentDown,
        MemberState.Dead when HeldUntil is not null || Standing.Departing => Presence.Suspect,
        _ => Member.PresenceOf(State),
    };

    /// <summary>Speaks our extensions.</summary>
    public bool IsOurs => BootId != 0;

    public bool AnswersStreamPings => Versions[1] >= 3;

    public bool SendsNacks => Versions[1] >= 4;

    public Member ToMember() => new(Name, Address, Meta, Incarnation, State, Since, BootId)
    {
        Presence = Presence,
        IsDegraded = IsDegraded,
        QuietUntil = Standing.QuietUntil,
        Flaps = Standing.Flaps,
    };

    public GossipMessage.Alive ToAlive() => new(Incarnation, Name, Address, Meta, Versions, BootId);

    public PushPullNode ToPushPull() => new(Name, Address, Meta, Incarnation, State, Versions, BootId);

    /// <summary>Tells that somebody else uses the name, once a minute.</summary>
    public void ReportConflict(IPEndPoint claimed, Instant now, GossipEffects e)
    {
        if (now >= conflictQuietUntil)
        {
            conflictQuietUntil = now + TimeSpan.FromMinutes(1);
            e.Events.Add(new GossipEvent.NameConflict(Name, Address, claimed));
        }
    }
}

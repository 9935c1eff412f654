namespace Overlay.Gossip;

/// <summary>
/// Limits and periods of gossip. The membership part has memberlist's names, units and LAN values; the rest is ours.
/// </summary>
public sealed record SwimOptions
{
    /// <summary>memberlist's DefaultLANConfig.</summary>
    public static readonly SwimOptions Lan = new();

    /// <summary>One member is probed in each interval.</summary>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>After this, relays and a stream are asked too; also how long a relay waits.</summary>
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Relays asked when a direct ping is not answered.</summary>
    public int IndirectChecks { get; init; } = 3;

    /// <summary>A rumour is sent RetransmitMultiplier × ⌈log10(n+1)⌉ times.</summary>
    public int RetransmitMultiplier { get; init; } = 4;

    /// <summary>The shortest suspicion is SuspicionMultiplier × max(1, log10 n) × ProbeInterval.</summary>
    public int SuspicionMultiplier { get; init; } = 4;

    /// <summary>The longest suspicion, in shortest ones.</summary>
    public int SuspicionMaxTimeoutMultiplier { get; init; } = 6;

    /// <summary>A full exchange with one random peer; longer in clusters above 32 members.</summary>
    public TimeSpan PushPullInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Peers that get rumours in each gossip interval.</summary>
    public int GossipNodes { get; init; } = 3;

    public TimeSpan GossipInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long the dead still hear rumours, so that a wrongly accused one can object.</summary>
    public TimeSpan GossipToTheDead { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The local health score is below this; probes last (score + 1) intervals.</summary>
    public int AwarenessMaxMultiplier { get; init; } = 8;

    /// <summary>The limit of one stream exchange.</summary>
    public TimeSpan TcpTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often one dead member or absent seed is contacted, so that partitions of any length heal.</summary>
    public TimeSpan ReconnectInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often seeds are tried while this node knows nobody alive.</summary>
    public TimeSpan JoinRetryInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Leaving ends after this at the latest.</summary>
    public TimeSpan LeaveTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>A dead or left member is remembered this long.</summary>
    public TimeSpan DeadRetention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>
    /// How long the entries of a dead agent stay visible while its host answers; zero: a dead agent is a dead host.
    /// </summary>
    public TimeSpan AgentDownHold { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>So long before a suspicion ends the suspect's host is asked: two tries fit in.</summary>
    public TimeSpan HostCheckLead { get; init; } = TimeSpan.FromMilliseconds(3500);

    /// <summary>The limit of one try: long enough to repeat one lost SYN (RFC 6298: after 1 s).</summary>
    public TimeSpan HostCheckTimeout { get; init; } = TimeSpan.FromMilliseconds(1500);

    /// <summary>How often the host of a held member is asked again.</summary>
    public TimeSpan HostCheckInterval { get; init; } = TimeSpan.FromSeconds(3);

    public int MaxMembers { get; init; } = 16384;

    /// <summary>Longest member name, in UTF-8 bytes.</summary>
    public int MaxNameBytes { get; init; } = 128;

    /// <summary>memberlist's MetaMaxSize.</summary>
    public int MaxMetaBytes { get; init; } = 512;

    /// <summary>How often table fingerprints are compared with one peer.</summary>
    public TimeSpan TableSyncInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// After a restart the entries of the node's former life stay visible beside the new ones for this long, unless
    /// <see cref="Swim.Settle"/> ends it earlier.
    /// </summary>
    public TimeSpan SettleTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Deletions are remembered this long; a peer that missed more gets the whole table.</summary>
    public TimeSpan TombstoneRetention { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Deletions remembered per owner and network.</summary>
    public int MaxTombstones { get; init; } = 4096;

    public int MaxValueBytes { get; init; } = 1024;

    /// <summary>Longest key, in UTF-8 bytes.</summary>
    public int MaxKeyBytes { get; init; } = 64;

    /// <summary>Entries per owner and network.</summary>
    public int MaxEntriesPerOwner { get; init; } = 4096;

    /// <summary>Networks that one node is attached to.</summary>
    public int MaxNetworks { get; init; } = 1024;

    /// <summary>Up to this many peers get a change directly from its owner, at once.</summary>
    public int DirectFanout { get; init; } = 8;

    /// <summary>A difference that needs more packets than this goes by stream.</summary>
    public int MaxDeltaPackets { get; init; } = 4;

    /// <summary>The most that one stream carries of a difference; the rest follows in the next exchange.</summary>
    public int MaxStreamBytes { get; init; } = 4 << 20;
}

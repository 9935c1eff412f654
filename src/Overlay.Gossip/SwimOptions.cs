namespace Overlay.Gossip;

/// <summary>
/// Limits and periods of gossip. What memberlist has too has its name and unit; <see cref="GossipProfiles"/> has its
/// values, to compare with.
/// </summary>
public sealed record SwimOptions
{
    /// <summary>Hosts of one site.</summary>
    public static readonly SwimOptions Lan = new();

    /// <summary>One member is probed in each interval.</summary>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// After this at the latest relays and a stream are asked too; also how long a relay waits. Where round trips were
    /// measured, it is as much shorter as they allow.
    /// </summary>
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>No probe waits less for its direct answer, however short the round trips are.</summary>
    public TimeSpan MinProbeTimeout { get; init; } = TimeSpan.FromMilliseconds(150);

    /// <summary>
    /// Every so many probes the one goes to the same member, the next in the order of the names' hashes: then each
    /// member is probed at even times, and not only when chance wills. 0: never.
    /// </summary>
    public int WatchEvery { get; init; } = 2;

    /// <summary>About so many others probe a suspect next, out of turn, to confirm or contradict.</summary>
    public int ConfirmingProbes { get; init; } = 4;

    /// <summary>Relays asked when a direct ping is not answered.</summary>
    public int IndirectChecks { get; init; } = 3;

    /// <summary>A rumour is sent RetransmitMultiplier × ⌈log10(n+1)⌉ times.</summary>
    public int RetransmitMultiplier { get; init; } = 6;

    /// <summary>
    /// The same for accusations, which are most of the bytes of a crash: the accused hears of them from whoever asks it, too.
    /// </summary>
    public int AccusationMultiplier { get; init; } = 4;

    /// <summary>The shortest suspicion is SuspicionMultiplier × max(1, log10 n) × SuspicionInterval.</summary>
    public int SuspicionMultiplier { get; init; } = 4;

    /// <summary>memberlist uses its probe interval here.</summary>
    public TimeSpan SuspicionInterval { get; init; } = TimeSpan.FromMilliseconds(650);

    /// <summary>So many further accusers make a suspicion as short as it can be; memberlist: multiplier − 2.</summary>
    public int SuspicionConfirmations { get; init; } = 2;

    /// <summary>A late accuser leaves the suspect this time to object, so that old accusations do not kill at once.</summary>
    public TimeSpan ObjectionTime { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>An accusation of a higher incarnation starts its own time, as the suspect has objected to the former.</summary>
    public bool RestartsSuspicions { get; init; } = true;

    /// <summary>Nobody is called dead by a node that hears nothing at all, before twice the longest time is over.</summary>
    public bool HoldsVerdictsWhileDeaf { get; init; } = true;

    /// <summary>
    /// Acks carry coordinates, accusations say which life of the accused is meant, and a ping does not say where its sender
    /// is to whoever knows. False: packets are what bare memberlist sends.
    /// </summary>
    public bool Extends { get; init; } = true;

    /// <summary>Lifeguard's buddy system: a probed suspect is told first.</summary>
    public bool TellsSuspects { get; init; } = true;

    /// <summary>An answered ping tells the asker that it is accused here.</summary>
    public bool TellsAskers { get; init; } = true;

    /// <summary>Relays are those on the shortest way by the coordinates, not any.</summary>
    public bool ChoosesRelays { get; init; } = true;

    /// <summary>The longest suspicion, in shortest ones.</summary>
    public int SuspicionMaxTimeoutMultiplier { get; init; } = 6;

    /// <summary>
    /// Peers of our kind compare digests of their members with every probe and exchange what differs. Without this
    /// everything is exchanged periodically, and what is learnt so is told on.
    /// </summary>
    public bool ComparesDigests { get; init; } = true;

    /// <summary>While exchanges of differences bring anything, the next follows after this.</summary>
    public TimeSpan DifferenceInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>A full exchange with one random peer that knows no digests; longer above 32 members.</summary>
    public TimeSpan PushPullInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Peers that get rumours in each gossip interval.</summary>
    public int GossipNodes { get; init; } = 3;

    public TimeSpan GossipInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>News goes through its first rounds at this pace.</summary>
    public TimeSpan UrgentInterval { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How many rounds are urgent.</summary>
    public int UrgentRounds { get; init; } = 3;

    /// <summary>How long the dead still hear rumours, so that a wrongly accused one can object.</summary>
    public TimeSpan GossipToTheDead { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The local health score is below this; probes last (score + 1) intervals.</summary>
    public int AwarenessMaxMultiplier { get; init; } = 8;

    /// <summary>The limit of one stream exchange.</summary>
    public TimeSpan TcpTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How often one dead member or absent seed is contacted by stream, so that partitions of any length heal; zero: never.
    /// </summary>
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
    public TimeSpan HostCheckLead { get; init; } = TimeSpan.FromMilliseconds(2500);

    /// <summary>The limit of one try: long enough to repeat one lost SYN (RFC 6298: after 1 s).</summary>
    public TimeSpan HostCheckTimeout { get; init; } = TimeSpan.FromMilliseconds(1200);

    /// <summary>How often the host of a held member is asked again.</summary>
    public TimeSpan HostCheckInterval { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>Members asked to look at one of whom there is first evidence; 0: verdicts are by suspicion alone.</summary>
    public int Observers { get; init; } = 4;

    /// <summary>How long such a look lasts; silence to all of it counts.</summary>
    public TimeSpan LookTime { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// How often the agent's end of a session gives a sign to the manager's; by up to half more rarely among more
    /// than 33 members, and 3 ms for each where that is longer.
    /// </summary>
    public TimeSpan SessionPingInterval { get; init; } = TimeSpan.FromMilliseconds(750);

    /// <summary>A question to the other end of a session that is not answered is repeated after this.</summary>
    public TimeSpan SessionPingRetry { get; init; } = TimeSpan.FromMilliseconds(110);

    /// <summary>The other end of a session that is not heard of for so much longer than the interval is silent.</summary>
    public TimeSpan SessionGrace { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Where half of the members were lost within this time, the fault may be this side's.</summary>
    public TimeSpan RecentLoss { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How often one dead member is pinged, so that it is back soon; the long dead are pinged more rarely. Zero: never.
    /// </summary>
    public TimeSpan ContactInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Losses within this time are one change for the layers above.</summary>
    public TimeSpan CutWindow { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>No loss waits longer than this for others that are coming.</summary>
    public TimeSpan MaxCutWindow { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Who is lost so soon after a return is flapping.</summary>
    public TimeSpan FlapWindow { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the first return of a flapping member does not count; doubled for each further flap.</summary>
    public TimeSpan FlapQuiet { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan MaxFlapQuiet { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Members that put one to trial which is accused and objects: three in five of them call it unsteady or it is not.
    /// 0: nobody is ever unsteady.
    /// </summary>
    public int TrialObservers { get; init; } = 8;

    /// <summary>An unsteady member waits at most this long for others, to be held down together.</summary>
    public TimeSpan UnsteadyWindow { get; init; } = TimeSpan.FromSeconds(12);

    /// <summary>An unsteady member counts for nothing until this long after the last alert about it.</summary>
    public TimeSpan UnsteadyQuiet { get; init; } = TimeSpan.FromSeconds(60);

    public int MaxMembers { get; init; } = 16384;

    /// <summary>Longest member name, in UTF-8 bytes.</summary>
    public int MaxNameBytes { get; init; } = 128;

    /// <summary>memberlist's MetaMaxSize.</summary>
    public int MaxMetaBytes { get; init; } = 512;

    /// <summary>How often table fingerprints are compared with one peer; half as often while nothing changes.</summary>
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

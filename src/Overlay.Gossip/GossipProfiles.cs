namespace Overlay.Gossip;

/// <summary>Sets of options beside <see cref="SwimOptions.Lan"/>.</summary>
public static class GossipProfiles
{
    private static readonly TimeSpan Never = TimeSpan.FromDays(3650);

    /// <summary>Hosts of several sites: longer times, rarer packets.</summary>
    public static readonly SwimOptions Wan = SwimOptions.Lan with
    {
        ProbeInterval = TimeSpan.FromSeconds(3),
        ProbeTimeout = TimeSpan.FromSeconds(2),
        MinProbeTimeout = TimeSpan.FromMilliseconds(500),
        SuspicionInterval = TimeSpan.FromSeconds(2),
        SuspicionMultiplier = 5,
        ObjectionTime = TimeSpan.FromSeconds(5),
        HostCheckTimeout = TimeSpan.FromSeconds(2),
        HostCheckLead = TimeSpan.FromSeconds(5),
        GossipNodes = 4,
        GossipInterval = TimeSpan.FromMilliseconds(500),
        UrgentInterval = TimeSpan.FromMilliseconds(60),
        GossipToTheDead = TimeSpan.FromSeconds(60),
        TcpTimeout = TimeSpan.FromSeconds(30),
        PushPullInterval = TimeSpan.FromSeconds(60),
        LookTime = TimeSpan.FromSeconds(2),
        SessionPingInterval = TimeSpan.FromSeconds(2),
        SessionPingRetry = TimeSpan.FromMilliseconds(500),
        SessionGrace = TimeSpan.FromSeconds(1.5),
        ContactInterval = TimeSpan.FromSeconds(3),
        CutWindow = TimeSpan.FromMilliseconds(500),
        MaxCutWindow = TimeSpan.FromSeconds(3),
    };

    /// <summary>Processes of one host or rack that should notice a crash within two seconds.</summary>
    public static readonly SwimOptions Local = SwimOptions.Lan with
    {
        ProbeInterval = TimeSpan.FromMilliseconds(250),
        ProbeTimeout = TimeSpan.FromMilliseconds(100),
        MinProbeTimeout = TimeSpan.FromMilliseconds(50),
        SuspicionInterval = TimeSpan.FromMilliseconds(150),
        SuspicionMultiplier = 3,
        SuspicionConfirmations = 1,
        ObjectionTime = TimeSpan.FromMilliseconds(300),
        HostCheckTimeout = TimeSpan.FromMilliseconds(200),
        HostCheckLead = TimeSpan.FromMilliseconds(420),
        GossipInterval = TimeSpan.FromMilliseconds(100),
        GossipToTheDead = TimeSpan.FromSeconds(15),
        TcpTimeout = TimeSpan.FromSeconds(1),
        LookTime = TimeSpan.FromMilliseconds(300),
        SessionPingInterval = TimeSpan.FromMilliseconds(250),
        SessionPingRetry = TimeSpan.FromMilliseconds(60),
        SessionGrace = TimeSpan.FromMilliseconds(200),
        CutWindow = TimeSpan.FromMilliseconds(100),
        MaxCutWindow = TimeSpan.FromMilliseconds(500),
    };

    /// <summary>
    /// HashiCorp memberlist with DefaultLANConfig as its source reads: an arm of experiments. Its order of handling
    /// packets and the former life that its restarted nodes forget are not imitated.
    /// </summary>
    public static readonly SwimOptions Memberlist = SwimOptions.Lan with
    {
        MinProbeTimeout = TimeSpan.FromMilliseconds(500),
        WatchEvery = 0,
        ConfirmingProbes = 0,
        RetransmitMultiplier = 4,
        AccusationMultiplier = 4,
        SuspicionInterval = TimeSpan.FromSeconds(1),
        SuspicionConfirmations = 2,
        ObjectionTime = TimeSpan.Zero,
        RestartsSuspicions = false,
        HoldsVerdictsWhileDeaf = false,
        Extends = false,
        TellsAskers = false,
        ChoosesRelays = false,
        ComparesDigests = false,
        UrgentRounds = 0,
        ReconnectInterval = TimeSpan.Zero,
        AgentDownHold = TimeSpan.Zero,
        TableSyncInterval = Never,
        Observers = 0,
        ContactInterval = TimeSpan.Zero,
        CutWindow = TimeSpan.Zero,
        FlapQuiet = TimeSpan.Zero,
        TrialObservers = 0,
    };

    /// <summary>
    /// SWIM without Lifeguard, as Lifeguard's authors set it up to compare with: α 5, β 1, no local health, no buddy.
    /// </summary>
    public static readonly SwimOptions PlainSwim = Memberlist with
    {
        SuspicionMultiplier = 5,
        SuspicionConfirmations = 3,
        SuspicionMaxTimeoutMultiplier = 1,
        AwarenessMaxMultiplier = 1,
        TellsSuspects = false,
    };
}

using Overlay.Gossip;

namespace Overlay.Daemon.Configuration;

/// <summary>Gossip's profiles and the constants that may differ from them, all of them settings of the agent.</summary>
internal static class GossipConstants
{
    public static readonly Setting<string> Profile = new(
        "gossip-profile", "PROFILE", "lan, wan or local: the times of failure detection; the same on all nodes", IsProfile)
    { DefaultTexts = ["lan"] };

    public static readonly GossipConstant ProbeInterval = GossipConstant.Time(
        "probe-interval", "How often one member is probed", 50, 60_000, static o => o.ProbeInterval,
        static (o, v) => o with { ProbeInterval = v });

    public static readonly GossipConstant ProbeTimeout = GossipConstant.Time(
        "probe-timeout", "After this, others are asked to probe it too", 10, 30_000, static o => o.ProbeTimeout,
        static (o, v) => o with { ProbeTimeout = v });

    public static readonly GossipConstant CutWindow = GossipConstant.Time(
        "cut-window", "Losses within this are one change for names and forwarding", 0, 10_000, static o => o.CutWindow,
        static (o, v) => o with { CutWindow = v });

    public static readonly GossipConstant MaxCutWindow = GossipConstant.Time(
        "cut-window-max", "No loss waits longer for others", 0, 60_000, static o => o.MaxCutWindow,
        static (o, v) => o with { MaxCutWindow = v });

    public static readonly GossipConstant MinProbeTimeout = GossipConstant.Time(
        "probe-timeout-min", "Nobody is given less to answer, however near", 5, 30_000, static o => o.MinProbeTimeout,
        static (o, v) => o with { MinProbeTimeout = v });

    public static readonly GossipConstant HostCheckTimeout = GossipConstant.Time(
        "host-check-timeout", "The limit of one look at the host of a silent agent", 50, 30_000, static o => o.HostCheckTimeout,
        static (o, v) => o with { HostCheckTimeout = v });

    public static readonly GossipConstant HostCheckLead = GossipConstant.Time(
        "host-check-lead", "So long before a suspicion ends its host is looked at", 100, 120_000, static o => o.HostCheckLead,
        static (o, v) => o with { HostCheckLead = v });

    public static readonly GossipConstant SessionPingRetry = GossipConstant.Time(
        "session-ping-retry", "A question to the other end of a session without an answer is repeated after this", 10, 30_000, static o => o.SessionPingRetry,
        static (o, v) => o with { SessionPingRetry = v });

    public static readonly GossipConstant SessionGrace = GossipConstant.Time(
        "session-grace", "The silence of a session beyond its interval that counts", 20, 60_000, static o => o.SessionGrace,
        static (o, v) => o with { SessionGrace = v });

    public static readonly GossipConstant FlapQuiet = GossipConstant.Time(
        "flap-quiet", "How long its return does not count, doubled each time", 0, 3_600_000, static o => o.FlapQuiet,
        static (o, v) => o with { FlapQuiet = v });

    public static readonly GossipConstant MaxFlapQuiet = GossipConstant.Time(
        "flap-quiet-max", "No return waits longer", 0, 86_400_000, static o => o.MaxFlapQuiet,
        static (o, v) => o with { MaxFlapQuiet = v });

    /// <summary>In the order of help texts.</summary>
    public static readonly IReadOnlyList<GossipConstant> All =
    [
        ProbeInterval, ProbeTimeout, MinProbeTimeout,
        GossipConstant.Number("watch-every", "Every so many probes the next one in the ring is probed; 0: never", 0, 64,
            static o => o.WatchEvery, static (o, v) => o with { WatchEvery = v }),
        GossipConstant.Number("indirect-checks", "Members asked to probe it", 0, 32,
            static o => o.IndirectChecks, static (o, v) => o with { IndirectChecks = v }),
        GossipConstant.Number("confirming-probes", "Others that probe a suspect next, out of turn", 0, 64,
            static o => o.ConfirmingProbes, static (o, v) => o with { ConfirmingProbes = v }),
        GossipConstant.Time("suspicion-interval", "The unit of suspicions", 10, 60_000,
            static o => o.SuspicionInterval, static (o, v) => o with { SuspicionInterval = v }),
        GossipConstant.Number("suspicion-mult", "The shortest suspicion, in intervals", 1, 100,
            static o => o.SuspicionMultiplier, static (o, v) => o with { SuspicionMultiplier = v }),
        GossipConstant.Number("suspicion-max-mult", "The longest suspicion, in shortest ones", 1, 100,
            static o => o.SuspicionMaxTimeoutMultiplier, static (o, v) => o with { SuspicionMaxTimeoutMultiplier = v }),
        GossipConstant.Number("suspicion-confirmations", "Further accusers that make a suspicion the shortest", 0, 32,
            static o => o.SuspicionConfirmations, static (o, v) => o with { SuspicionConfirmations = v }),
        GossipConstant.Time("objection-time", "A late accuser leaves a suspect so long", 0, 60_000,
            static o => o.ObjectionTime, static (o, v) => o with { ObjectionTime = v }),
        GossipConstant.Number("health-max", "The worst local health makes probes so many times longer", 1, 64,
            static o => o.AwarenessMaxMultiplier, static (o, v) => o with { AwarenessMaxMultiplier = v }),
        GossipConstant.Number("retransmit-mult", "How often news is passed on, times log10 of the members", 1, 64,
            static o => o.RetransmitMultiplier, static (o, v) => o with { RetransmitMultiplier = v }),
        GossipConstant.Number("accusation-mult", "The same for accusations", 1, 64,
            static o => o.AccusationMultiplier, static (o, v) => o with { AccusationMultiplier = v }),
        GossipConstant.Time("interval", "How often news is passed on", 10, 10_000,
            static o => o.GossipInterval, static (o, v) => o with { GossipInterval = v }),
        GossipConstant.Number("nodes", "Members that get news in each interval", 1, 32,
            static o => o.GossipNodes, static (o, v) => o with { GossipNodes = v }),
        GossipConstant.Time("urgent-interval", "The interval of the first rounds of news", 5, 10_000,
            static o => o.UrgentInterval, static (o, v) => o with { UrgentInterval = v }),
        GossipConstant.Number("urgent-rounds", "How many rounds these are", 0, 16,
            static o => o.UrgentRounds, static (o, v) => o with { UrgentRounds = v }),
        GossipConstant.Time("difference-interval", "While exchanges bring something the next follows after this", 50, 60_000,
            static o => o.DifferenceInterval, static (o, v) => o with { DifferenceInterval = v }),
        GossipConstant.Time("to-the-dead", "How long the dead still get news", 0, 3_600_000,
            static o => o.GossipToTheDead, static (o, v) => o with { GossipToTheDead = v }),
        GossipConstant.Time("push-pull-interval", "How often all is exchanged with one member", 1000, 3_600_000,
            static o => o.PushPullInterval, static (o, v) => o with { PushPullInterval = v }),
        GossipConstant.Time("tcp-timeout", "The limit of one stream", 100, 120_000,
            static o => o.TcpTimeout, static (o, v) => o with { TcpTimeout = v }),
        GossipConstant.Time("reconnect-interval", "How often all is exchanged with one of the dead", 500, 3_600_000,
            static o => o.ReconnectInterval, static (o, v) => o with { ReconnectInterval = v }),
        GossipConstant.Time("contact-interval", "How often one of the dead is pinged", 100, 3_600_000,
            static o => o.ContactInterval, static (o, v) => o with { ContactInterval = v }),
        GossipConstant.Time("join-retry-interval", "How often seeds are tried while nobody is known", 100, 3_600_000,
            static o => o.JoinRetryInterval, static (o, v) => o with { JoinRetryInterval = v }),
        GossipConstant.Time("leave-timeout", "Leaving takes no longer", 100, 60_000,
            static o => o.LeaveTimeout, static (o, v) => o with { LeaveTimeout = v }),
        GossipConstant.Number("observers", "Members asked to look at one that fell silent; 0: none", 0, 32,
            static o => o.Observers, static (o, v) => o with { Observers = v }),
        GossipConstant.Time("look-time", "How long they look", 100, 30_000,
            static o => o.LookTime, static (o, v) => o with { LookTime = v }),
        GossipConstant.Time("session-ping-interval", "How often an agent gives its manager a sign", 50, 60_000,
            static o => o.SessionPingInterval, static (o, v) => o with { SessionPingInterval = v }),
        SessionPingRetry, SessionGrace,
        GossipConstant.Time("recent-loss", "Where half of the members were lost within this, nobody is judged", 0, 3_600_000,
            static o => o.RecentLoss, static (o, v) => o with { RecentLoss = v }),
        HostCheckLead, HostCheckTimeout,
        GossipConstant.Time("host-check-interval", "How often the host of a dead agent is looked at", 100, 3_600_000,
            static o => o.HostCheckInterval, static (o, v) => o with { HostCheckInterval = v }),
        CutWindow, MaxCutWindow,
        GossipConstant.Time("flap-window", "Who is lost so soon after a return is flapping", 0, 3_600_000,
            static o => o.FlapWindow, static (o, v) => o with { FlapWindow = v }),
        FlapQuiet, MaxFlapQuiet,
        GossipConstant.Number("trial-observers", "Members that try one that is accused again and again; 0: none", 0, 32,
            static o => o.TrialObservers, static (o, v) => o with { TrialObservers = v }),
        GossipConstant.Time("unsteady-window", "Unsteady members wait so long for others, to be one change", 0, 300_000,
            static o => o.UnsteadyWindow, static (o, v) => o with { UnsteadyWindow = v }),
        GossipConstant.Time("unsteady-quiet", "They count for nothing until so long after the last alert", 1000, 86_400_000,
            static o => o.UnsteadyQuiet, static (o, v) => o with { UnsteadyQuiet = v }),
        GossipConstant.Time("table-interval", "How often tables are compared with one member", 100, 60_000,
            static o => o.TableSyncInterval, static (o, v) => o with { TableSyncInterval = v }),
        GossipConstant.Time("settle-time", "How long entries of a former life stay beside the new ones", 0, 3_600_000,
            static o => o.SettleTime, static (o, v) => o with { SettleTime = v }),
        GossipConstant.Time("dead-retention", "How long the dead are remembered", 60_000, 30L * 86_400_000,
            static o => o.DeadRetention, static (o, v) => o with { DeadRetention = v }),
        GossipConstant.Time("tombstone-retention", "How long deletions are remembered", 60_000, 7L * 86_400_000,
            static o => o.TombstoneRetention, static (o, v) => o with { TombstoneRetention = v }),
    ];

    public static SwimOptions OptionsOf(string profile) => profile switch
    {
        "wan" => GossipProfiles.Wan,
        "local" => GossipProfiles.Local,
        _ => SwimOptions.Lan,
    };

    private static bool IsProfile(string text, out string profile, out string why)
    {
        profile = text;
        bool known = text is "lan" or "wan" or "local";
        why = known ? "" : $"is '{text}': use lan, wan or local";
        return known;
    }
}

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

    /// <summary>In the order of help texts.</summary>
    public static readonly IReadOnlyList<GossipConstant> All =
    [
        ProbeInterval, ProbeTimeout,
        GossipConstant.Number("indirect-checks", "Members asked to probe it", 0, 32, static o => o.IndirectChecks,
            static (o, v) => o with { IndirectChecks = v }),
        GossipConstant.Number("suspicion-mult", "The shortest suspicion, in intervals", 1, 100, static o => o.SuspicionMultiplier,
            static (o, v) => o with { SuspicionMultiplier = v }),
        GossipConstant.Number("suspicion-max-mult", "The longest suspicion, in shortest ones", 1, 100,
            static o => o.SuspicionMaxTimeoutMultiplier, static (o, v) => o with { SuspicionMaxTimeoutMultiplier = v }),
        GossipConstant.Number("health-max", "The worst local health makes probes so many times longer", 1, 64,
            static o => o.AwarenessMaxMultiplier, static (o, v) => o with { AwarenessMaxMultiplier = v }),
        GossipConstant.Number("retransmit-mult", "How often news is passed on, times log10 of the members", 1, 64,
            static o => o.RetransmitMultiplier, static (o, v) => o with { RetransmitMultiplier = v }),
        GossipConstant.Time("interval", "How often news is passed on", 10, 10_000, static o => o.GossipInterval,
            static (o, v) => o with { GossipInterval = v }),
        GossipConstant.Number("nodes", "Members that get news in each interval", 1, 32, static o => o.GossipNodes,
            static (o, v) => o with { GossipNodes = v }),
        GossipConstant.Time("to-the-dead", "How long the dead still get news", 0, 3_600_000, static o => o.GossipToTheDead,
            static (o, v) => o with { GossipToTheDead = v }),
        GossipConstant.Time("push-pull-interval", "How often all is exchanged with one member", 1000, 3_600_000,
            static o => o.PushPullInterval, static (o, v) => o with { PushPullInterval = v }),
        GossipConstant.Time("tcp-timeout", "The limit of one stream", 100, 120_000, static o => o.TcpTimeout,
            static (o, v) => o with { TcpTimeout = v }),
        GossipConstant.Time("reconnect-interval", "How often all is exchanged with one of the dead", 500, 3_600_000,
            static o => o.ReconnectInterval, static (o, v) => o with { ReconnectInterval = v }),
        GossipConstant.Time("contact-interval", "How often one of the dead is pinged", 100, 3_600_000, static o => o.ContactInterval,
            static (o, v) => o with { ContactInterval = v }),
        GossipConstant.Number("observers", "Members asked to look at one that fell silent; 0: none", 0, 32, static o => o.Observers,
            static (o, v) => o with { Observers = v }),
        GossipConstant.Time("look-time", "How long they look", 100, 30_000, static o => o.LookTime,
            static (o, v) => o with { LookTime = v }),
        CutWindow, MaxCutWindow,
        GossipConstant.Time("flap-window", "Who is lost so soon after a return is flapping", 0, 3_600_000, static o => o.FlapWindow,
            static (o, v) => o with { FlapWindow = v }),
        GossipConstant.Time("flap-quiet", "How long its return does not count, doubled each time", 0, 3_600_000,
            static o => o.FlapQuiet, static (o, v) => o with { FlapQuiet = v }),
        GossipConstant.Time("flap-quiet-max", "No return waits longer", 0, 86_400_000, static o => o.MaxFlapQuiet,
            static (o, v) => o with { MaxFlapQuiet = v }),
        GossipConstant.Time("table-interval", "How often tables are compared with one member", 100, 60_000,
            static o => o.TableSyncInterval, static (o, v) => o with { TableSyncInterval = v }),
        GossipConstant.Time("dead-retention", "How long the dead are remembered", 60_000, 30L * 86_400_000,
            static o => o.DeadRetention, static (o, v) => o with { DeadRetention = v }),
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

using System.Globalization;
using System.Reflection;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.Tests.Gossip.Verdicts;

namespace Overlay.Tests.Gossip;

/// <summary>The arm that stands for memberlist has memberlist's constants, and everything that it has not is off.</summary>
public sealed class FaithfulArmTests
{
    /// <summary>What it has no counterpart of and cannot matter in it: limits, tables, and what others switch off.</summary>
    private static readonly string[] WithoutEffect =
    [
        "MinProbeTimeout", "UrgentInterval", "DifferenceInterval", "JoinRetryInterval", "LeaveTimeout", "DeadRetention",
        "HostCheckLead", "HostCheckTimeout", "HostCheckInterval", "LookTime", "RecentLoss", "MaxCutWindow", "FlapWindow",
        "MaxFlapQuiet", "MaxMembers", "MaxNameBytes", "SettleTime", "TombstoneRetention", "MaxTombstones", "MaxValueBytes",
        "MaxKeyBytes", "MaxEntriesPerOwner", "MaxNetworks", "DirectFanout", "MaxDeltaPackets", "MaxStreamBytes",
        "TableSyncInterval", "SessionPingInterval", "SessionPingRetry", "SessionGrace",
        "UnsteadyWindow", "UnsteadyQuiet",
    ];

    /// <summary>memberlist's DefaultLANConfig; what is ours alone is 0 or false.</summary>
    private static readonly Dictionary<string, string> Expected = new(StringComparer.Ordinal)
    {
        ["ProbeInterval"] = "1",
        ["ProbeTimeout"] = "0.5",
        ["IndirectChecks"] = "3",
        ["RetransmitMultiplier"] = "4",
        ["AccusationMultiplier"] = "4",
        ["SuspicionMultiplier"] = "4",
        ["SuspicionInterval"] = "1",
        ["SuspicionConfirmations"] = "2",
        ["SuspicionMaxTimeoutMultiplier"] = "6",
        ["PushPullInterval"] = "30",
        ["GossipNodes"] = "3",
        ["GossipInterval"] = "0.2",
        ["GossipToTheDead"] = "30",
        ["AwarenessMaxMultiplier"] = "8",
        ["TcpTimeout"] = "10",
        ["MaxMetaBytes"] = "512",
        ["TellsSuspects"] = "True",
        ["WatchEvery"] = "0",
        ["ConfirmingProbes"] = "0",
        ["ObjectionTime"] = "0",
        ["RestartsSuspicions"] = "False",
        ["HoldsVerdictsWhileDeaf"] = "False",
        ["Extends"] = "False",
        ["TellsAskers"] = "False",
        ["ChoosesRelays"] = "False",
        ["ComparesDigests"] = "False",
        ["UrgentRounds"] = "0",
        ["ReconnectInterval"] = "0",
        ["AgentDownHold"] = "0",
        ["Observers"] = "0",
        ["ContactInterval"] = "0",
        ["CutWindow"] = "0",
        ["FlapQuiet"] = "0",
        ["TrialObservers"] = "0",
    };

    /// <summary>A new option has to be put in one of the two lists.</summary>
    [Fact]
    public void Every_option_is_memberlists_or_off_or_without_effect()
    {
        foreach (PropertyInfo property in typeof(SwimOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            if (WithoutEffect.Contains(property.Name))
            {
                continue;
            }

            Assert.True(Expected.TryGetValue(property.Name, out string? expected), $"{property.Name}: is it off in the arm?");
            Assert.Equal((property.Name, expected), (property.Name, Text(property.GetValue(GossipProfiles.Memberlist)!)));
        }

        Assert.True(GossipProfiles.Memberlist.MinProbeTimeout >= GossipProfiles.Memberlist.ProbeTimeout);
        Assert.True(GossipProfiles.Memberlist.TableSyncInterval > TimeSpan.FromDays(365));
    }

    [Fact]
    public void Plain_swim_differs_in_what_Lifeguard_added_only()
    {
        string[] added = ["SuspicionMultiplier", "SuspicionConfirmations", "SuspicionMaxTimeoutMultiplier", "AwarenessMaxMultiplier", "TellsSuspects"];
        Assert.Equal(added.Order(), typeof(SwimOptions).GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(static p => !Equals(p.GetValue(GossipProfiles.Memberlist), p.GetValue(GossipProfiles.PlainSwim)))
            .Select(static p => p.Name).Order());
        Assert.False(GossipProfiles.PlainSwim.TellsSuspects);
        Assert.Equal(1, GossipProfiles.PlainSwim.SuspicionMaxTimeoutMultiplier);
        Assert.Equal(1, GossipProfiles.PlainSwim.AwarenessMaxMultiplier);
    }

    /// <summary>memberlist's issue 222: nobody speaks with the dead, so that a partition stays one.</summary>
    [Fact]
    public void Nobody_contacts_one_who_is_dead_for_long()
    {
        GossipCluster cluster = GossipCluster.Of(5, seed: 3, GossipProfiles.Memberlist);
        cluster.RunUntil(TimeSpan.FromSeconds(60), cluster.AllAgree);
        int attempts = 0;
        cluster.Reachable = (from, to) =>
        {
            attempts += to == "node-04" ? 1 : 0;
            return (from == "node-04") == (to == "node-04");
        };
        cluster.Run(TimeSpan.FromMinutes(3));
        Assert.True(attempts > 0);
        Assert.Equal(MemberState.Dead, cluster[0].Swim.Find("node-04")!.State);
        attempts = 0;
        cluster.Run(TimeSpan.FromMinutes(10));
        Assert.Equal(0, attempts);
        Assert.Equal(0, cluster.Live.Sum(static n => n.Swim.Counters.DifferenceExchanges + n.Swim.Counters.FusedVerdicts));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Only_ours_tells_an_asker_that_it_is_accused(bool ours)
    {
        SwimOptions options = ours ? SwimOptions.Lan : GossipProfiles.Memberlist;
        Swim swim = new("b", Rig.Self, new byte[1], 5, options, GossipCluster.Keys, new(1));
        Instant now = new(1_000_000_000);
        GossipEffects e = new();
        swim.Start(now, e);
        swim.Receive(Rig.Asker, Rig.Seal(Rig.Alive("a", Rig.Asker)), now, e);
        swim.Receive(Rig.Subject, Rig.Seal(new GossipMessage.Dead(1, "a", "c")), now, e);
        e.Clear();
        swim.Receive(Rig.Asker, Rig.Seal(new GossipMessage.Ping(7, "b", null, "a")), now, e);
        List<GossipMessage> answer = Rig.Messages(e);
        GossipMessage.Ack ack = Assert.IsType<GossipMessage.Ack>(answer[0]);
        Assert.Equal(ours, ack.Digest != 0);
        Assert.Equal(ours, answer.Count > 1 && answer[1] is GossipMessage.Dead { From: "b", Life: not 0 });
    }

    private static string Text(object value) => value is TimeSpan time
        ? time.TotalSeconds.ToString(CultureInfo.InvariantCulture)
        : Convert.ToString(value, CultureInfo.InvariantCulture)!;
}

using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Configuration;

namespace Overlay.Tests.Daemon.Configuration;

public sealed class SettingsReaderTests
{
    private readonly SortedDictionary<string, string> environment = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, string> files = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, IReadOnlyList<string>> flags = new(StringComparer.Ordinal);

    [Fact]
    public void Without_anything_given_every_value_is_the_default()
    {
        AgentSettings settings = Read();

        Assert.Equal("/var/lib/overlayd", settings.StateFolder);
        Assert.Equal("/run/overlayd/overlayd.sock", settings.SocketPath);
        Assert.Equal("host-a", settings.HostName);
        Assert.Equal(7946, settings.GossipPort);
        Assert.Equal(2377, settings.ManagerPort);
        Assert.Equal(4789, settings.VxlanPort);
        Assert.Equal(new IPEndPoint(IPAddress.Loopback, 9650), settings.MetricsAddress);
        Assert.Equal(TimeSpan.FromSeconds(30), settings.ReconcileInterval);
        Assert.Equal(TimeSpan.FromMinutes(5), settings.AgentDownHold);
        Assert.Equal((TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1)), (settings.DnsTtl, settings.DnsNegativeTtl));
        Assert.Equal(LoadBalancerChoice.Auto, settings.LoadBalancer);
        Assert.Equal(LogLevel.Information, settings.LogLevel);
        Assert.Empty(settings.DnsServers);
        Assert.NotEmpty(settings.GatewayPools);
        Assert.Equal(Overlay.Gossip.SwimOptions.Lan, settings.Gossip);
        Assert.All(settings.Values, static value => Assert.Equal(
            GossipConstants.All.Any(c => c.Setting.Name == value.Name) ? SettingOrigin.Profile : SettingOrigin.Default, value.Origin));
        Assert.Equal(SettingCatalog.All.Select(static s => s.Name), settings.Values.Select(static v => v.Name));
    }

    [Fact]
    public void Flag_wins_over_environment_over_file_over_default_and_each_origin_is_kept()
    {
        files["/etc/overlayd/overlayd.json"] =
            """{ "gossip-port": 1111, "manager-port": 1112, "vxlan-port": 1113, "log-level": "debug" }""";
        environment["OVERLAYD_GOSSIP_PORT"] = "2221";
        environment["OVERLAYD_MANAGER_PORT"] = "2222";
        flags["gossip-port"] = ["3331"];

        AgentSettings settings = Read();

        Assert.Equal(3331, settings.GossipPort);
        Assert.Equal(2222, settings.ManagerPort);
        Assert.Equal(1113, settings.VxlanPort);
        Assert.Equal(LogLevel.Debug, settings.LogLevel);
        Assert.Equal(
            [SettingOrigin.Flag, SettingOrigin.Environment, SettingOrigin.File, SettingOrigin.Default],
            new[] { "gossip-port", "manager-port", "vxlan-port", "state-dir" }
                .Select(name => settings.Values.Single(v => v.Name == name).Origin));
    }

    [Fact]
    public void A_gossip_profile_gives_every_constant_that_is_not_given_itself()
    {
        flags["gossip-profile"] = ["wan"];
        environment["OVERLAYD_GOSSIP_PROBE_INTERVAL"] = "4s";
        files["/etc/overlayd/overlayd.json"] = """{ "gossip-observers": 7, "gossip-probe-interval": "9s" }""";

        AgentSettings settings = Read();

        Assert.Equal(
            Overlay.Gossip.GossipProfiles.Wan with { ProbeInterval = TimeSpan.FromSeconds(4), Observers = 7 }, settings.Gossip);
        Assert.Equal(
            [("wan", SettingOrigin.Flag), ("4s", SettingOrigin.Environment), ("7", SettingOrigin.File), ("2s", SettingOrigin.Profile)],
            new[] { "gossip-profile", "gossip-probe-interval", "gossip-observers", "gossip-look-time" }
                .Select(name => settings.Values.Single(v => v.Name == name)).Select(static v => (v.Text, v.Origin)));
    }

    [Fact]
    public void Each_gossip_constant_reads_back_what_it_shows_in_every_profile()
    {
        foreach (Overlay.Gossip.SwimOptions profile in new[]
        {
            Overlay.Gossip.SwimOptions.Lan, Overlay.Gossip.GossipProfiles.Wan, Overlay.Gossip.GossipProfiles.Local,
        })
        {
            foreach (GossipConstant constant in GossipConstants.All)
            {
                string text = constant.TextIn(profile);
                Assert.True(constant.Setting.TryRead([text], out object value, out string why), $"{constant.Setting.Name}: {why}");
                Assert.Equal(profile, constant.Apply(profile, value));
                // It sets its own constant, and no other's.
                Assert.Equal(text, constant.TextIn(constant.Apply(profile with { MaxMembers = 1 }, value)));
            }
        }
    }

    [Fact]
    public void Gossip_constants_are_checked_alone_and_together()
    {
        flags["gossip-profile"] = ["moon"];
        flags["gossip-observers"] = ["-1"];
        flags["gossip-interval"] = ["1ms"];
        flags["gossip-probe-timeout"] = ["2s"];
        environment["OVERLAYD_GOSSIP_CUT_WINDOW_MAX"] = "100ms";

        Assert.Equal(
            [
                "--gossip-profile is 'moon': use lan, wan or local",
                "--gossip-interval is '1ms': use 10ms to 10s",
                "--gossip-observers is '-1': use a number from 0 to 32",
                "--gossip-probe-timeout is 2s, not below gossip-probe-interval, 1s: use less",
                "OVERLAYD_GOSSIP_CUT_WINDOW_MAX is 100ms, below gossip-cut-window, 200ms: use as much at least",
            ],
            Problems());
    }

    [Theory]
    [InlineData("0s", 0)]
    [InlineData("90s", 90)]
    [InlineData("24h", 86_400)]
    public void The_hold_of_a_dead_agent_may_be_none(string text, int seconds)
    {
        flags["agent-down-hold"] = [text];
        Assert.Equal(TimeSpan.FromSeconds(seconds), Read().AgentDownHold);
    }

    [Theory]
    [InlineData("0s", 0)]
    [InlineData("10s", 10)]
    [InlineData("365d", 31_536_000)]
    public void A_gossip_key_may_seal_for_ever(string text, int seconds)
    {
        Assert.Equal(TimeSpan.FromDays(1), Read().GossipKeyRotation);
        flags["gossip-key-rotation"] = [text];
        Assert.Equal(TimeSpan.FromSeconds(seconds), Read().GossipKeyRotation);
    }

    [Theory]
    [InlineData("9s", "is '9s': use 10s to 365d, or 0s")]
    [InlineData("366d", "is '366d': use 10s to 365d, or 0s")]
    [InlineData("never", "is 'never', which is not a duration: write it like 12h, 7d or 1d12h")]
    public void A_gossip_key_seals_neither_too_short_nor_too_long(string text, string why)
    {
        environment["OVERLAYD_GOSSIP_KEY_ROTATION"] = text;
        Assert.Equal([$"OVERLAYD_GOSSIP_KEY_ROTATION {why}"], Problems());
    }

    [Fact]
    public void The_socket_follows_the_runtime_directory_unless_it_is_given()
    {
        flags["runtime-dir"] = ["/run/other/"];
        Assert.Equal("/run/other/overlayd.sock", Read().SocketPath);

        environment["OVERLAYD_SOCKET"] = "/tmp/s";
        Assert.Equal("/tmp/s", Read().SocketPath);
    }

    [Fact]
    public void Lists_come_from_arrays_commas_and_repeated_flags_and_are_not_merged()
    {
        files["/etc/overlayd/overlayd.json"] =
            """{ "dns": ["192.0.2.1", "192.0.2.2:5353"], "gateway-pool": ["10.9.0.0/16"] }""";
        environment["OVERLAYD_GATEWAY_POOL"] = "10.8.0.0/16, 10.7.0.0/24";

        AgentSettings settings = Read();

        Assert.Equal([IPEndPoint.Parse("192.0.2.1:53"), IPEndPoint.Parse("192.0.2.2:5353")], settings.DnsServers);
        Assert.Equal([IPNetwork.Parse("10.8.0.0/16"), IPNetwork.Parse("10.7.0.0/24")], settings.GatewayPools);

        flags["gateway-pool"] = ["10.6.0.0/16", "10.5.0.0/16"];
        Assert.Equal(2, Read().GatewayPools.Count);
    }

    [Fact]
    public void All_problems_of_all_origins_are_reported_at_once()
    {
        files["/etc/overlayd/overlayd.json"] =
            """{ "gosip-port": 1, "log-format": true, "dns": [[]], "manager-port": 0 }""";
        environment["OVERLAYD_STATE_DIR"] = "relative";
        flags["dns-ttl"] = ["2h"];
        flags["dns-negative-ttl"] = ["1500ms"];
        flags["load-balancer"] = ["haproxy"];
        flags["reconcile-interval"] = ["2h"];
        flags["agent-down-hold"] = ["25h"];
        flags["log-level"] = ["loud"];

        Assert.Equal(
            [
                "gosip-port in /etc/overlayd/overlayd.json is not a setting: did you mean gossip-port?",
                "log-format in /etc/overlayd/overlayd.json must be a string or a number",
                "dns in /etc/overlayd/overlayd.json has an element that is neither a string nor a number",
                "OVERLAYD_STATE_DIR is 'relative', which is not an absolute path: begin it with '/'",
                "manager-port in /etc/overlayd/overlayd.json is '0', which is not a port: use a number from 1 to 65535",
                "--dns-ttl is '2h': use whole seconds, from 0s to 1h",
                "--dns-negative-ttl is '1500ms': use whole seconds, from 0s to 1h",
                "--load-balancer is 'haproxy': use auto, ipvs or nftables",
                "--reconcile-interval is '2h': use 1s to 1h",
                "--agent-down-hold is '25h': use 0s to 24h",
                "--log-level is 'loud': use trace, debug, info, warning or error",
            ],
            Problems());
    }

    [Theory]
    [InlineData("""{ "log-level": "info", "log-level": "debug" }""", "log-level in FILE is there twice")]
    [InlineData("""{ "config": "/x" }""", "config in FILE is not a setting")]
    [InlineData("""[]""", "FILE is not a JSON object: begin it with '{'")]
    [InlineData("""{ "log-level": "info", }""", "FILE is not valid JSON at line 1, byte 24")]
    [InlineData("{\n// no comments\n}", "FILE is not valid JSON at line 2, byte 1")]
    [InlineData("", "FILE is not valid JSON at line 1, byte 1")]
    [InlineData("""{ "gossip-port": [7946] }""", "gossip-port in FILE must be a string or a number")]
    [InlineData(
        """{ "gossip-port": 7946.0 }""",
        "gossip-port in FILE is '7946.0', which is not a port: use a number from 1 to 65535")]
    [InlineData("""{ "log-level": null }""", "log-level in FILE must be a string or a number")]
    public void The_file_is_strict(string content, string problem)
    {
        files["/etc/overlayd/overlayd.json"] = content;

        Assert.Equal([problem.Replace("FILE", "/etc/overlayd/overlayd.json", StringComparison.Ordinal)], Problems());
    }

    [Fact]
    public void A_file_that_is_named_must_exist_and_the_usual_one_need_not()
    {
        Assert.Empty(Problems());

        environment["OVERLAYD_CONFIG"] = "/etc/other.json";
        Assert.Equal(["/etc/other.json does not exist"], Problems());

        files["/etc/other.json"] = """{ "hostname": "b" }""";
        Assert.Equal("b", Read().HostName);
    }

    [Fact]
    public void Two_services_may_not_share_a_port()
    {
        flags["manager-port"] = ["7946"];
        environment["OVERLAYD_VXLAN_PORT"] = "7946";
        flags["metrics-addr"] = ["0.0.0.0:7946"];

        Assert.Equal(
            [
                "--manager-port uses TCP port 7946, and so does gossip-port: use two ports",
                "OVERLAYD_VXLAN_PORT uses UDP port 7946, and so does gossip-port: use two ports",
                "--metrics-addr uses TCP port 7946, and so does gossip-port: use two ports",
                "--metrics-addr uses TCP port 7946, and so does manager-port: use two ports",
            ],
            Problems());
    }

    [Fact]
    public void Values_that_cannot_work_together_are_refused()
    {
        flags["state-dir"] = ["/data"];
        flags["runtime-dir"] = ["/data/"];
        flags["socket"] = ["/" + new string('s', 107)];

        Assert.Equal(
            [
                "--state-dir is /data, and so is runtime-dir: use two directories",
                "--socket is longer than the 107 bytes that the kernel allows for a socket",
            ],
            Problems());
    }

    [Fact]
    public void Metrics_can_be_turned_off()
    {
        flags["metrics-addr"] = ["none"];
        Assert.Null(Read().MetricsAddress);
    }

    [Fact]
    public void A_single_setting_given_twice_and_a_list_value_given_twice_are_refused()
    {
        flags["gossip-port"] = ["1", "2"];
        flags["dns"] = ["192.0.2.1", "192.0.2.1:53"];

        Assert.Equal(["--gossip-port takes one value, not 2", "--dns names 192.0.2.1:53 twice"], Problems());
    }

    [Fact]
    public void An_empty_environment_variable_counts_as_absent()
    {
        environment["OVERLAYD_GOSSIP_PORT"] = "";
        Assert.Equal(7946, Read().GossipPort);
    }

    [Fact]
    public void Every_setting_has_its_own_name_and_a_readable_default()
    {
        Assert.Equal(
            SettingCatalog.All.Count, SettingCatalog.All.Select(static s => s.EnvironmentName).Distinct().Count());
        Assert.Equal("OVERLAYD_METRICS_ADDR", SettingCatalog.MetricsAddress.EnvironmentName);
        Assert.Equal("--metrics-addr", SettingCatalog.MetricsAddress.Flag);
    }

    private AgentSettings Read()
    {
        AgentSettings? settings = Reader()
            .Read(new(SettingOrigin.Flag, flags), out IReadOnlyList<SettingProblem> problems);
        Assert.Empty(problems);
        Assert.NotNull(settings);
        return settings;
    }

    private List<string> Problems()
    {
        AgentSettings? settings = Reader()
            .Read(new(SettingOrigin.Flag, flags), out IReadOnlyList<SettingProblem> problems);
        Assert.Equal(problems.Count == 0, settings is not null);
        return [.. problems.Select(static p => p.ToString())];
    }

    private SettingsReader Reader() => new(
        name => environment.GetValueOrDefault(name),
        path => files.TryGetValue(path, out string? text) ? Encoding.UTF8.GetBytes(text) : null,
        "host-a");
}

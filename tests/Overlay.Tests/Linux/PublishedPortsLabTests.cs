using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Primitives;
using Overlay.Tests.Dataplane;

namespace Overlay.Tests.Linux;

/// <summary>Published ports on the real kernel: listed as they were written, obeyed, and taken back.</summary>
[Trait("Layer", "lab")]
public sealed class PublishedPortsLabTests : IDisposable
{
    private readonly LabNamespaces lab = new();
    private readonly NamespaceName box;

    public PublishedPortsLabTests() => box = new($"/run/netns/{lab.Make("box")}");

    public void Dispose() => lab.Dispose();

    [Fact]
    public void A_client_of_the_host_and_one_beyond_reach_the_backend_by_their_own_addresses()
    {
        string outside = lab.Make("outside");
        foreach (string command in new[]
        {
            $"link add up0 netns {lab.HostName} type veth peer name up0 netns {outside}",
            $"-n {lab.HostName} link set up0 up", $"-n {outside} link set up0 up",
            $"-n {lab.HostName} addr add 192.0.2.1/24 dev up0", $"-n {outside} addr add 192.0.2.9/24 dev up0",
            // A default route of its own, which answers must not take.
            $"-n {BoxName} link add dock0 type bridge", $"-n {BoxName} link set dock0 up", $"-n {BoxName} addr add 10.9.9.2/24 dev dock0",
            $"-n {BoxName} route add default via 10.9.9.1",
        })
        {
            LabNamespaces.Run($"ip {command}");
        }

        DataplaneInputs inputs = Inputs(PublishedPortsTests.Http with { Backends = [new(box, 1)] });
        Reconcile(inputs);
        Assert.Equal("192.0.2.9", Peer(outside, "192.0.2.1"));
        Assert.Equal("192.0.2.1", Peer(lab.HostName, "192.0.2.1"));
        Assert.Equal("172.30.0.1", Peer(lab.HostName, "127.0.0.1"));
        LabNamespaces.Run($"ip netns exec {BoxName} ip rule del pref 7900");
        LabNamespaces.Run($"ip netns exec {lab.HostName} nft flush ruleset");
        Assert.Equal("", Peer(outside, "192.0.2.1"));
        Reconcile(inputs);
        Assert.Equal("192.0.2.9", Peer(outside, "192.0.2.1"));

        Reconcile(inputs with { Ports = [] });
        Assert.Equal("", Peer(outside, "192.0.2.1"));
        Assert.Empty(lab.Observe(box).Rules);
        Assert.DoesNotContain(lab.Observe(box).Routes, static r => r.Table == RouteEntry.OwnTable);
        Reconcile(inputs with { Endpoints = [], LeftSandboxes = [box] });
    }

    [Fact]
    public void By_IPv6_too_in_a_sandbox_that_has_it_turned_off()
    {
        string outside = lab.Make("outside");
        foreach (string command in new[]
        {
            $"ip link add up0 netns {lab.HostName} type veth peer name up0 netns {outside}",
            $"ip -n {lab.HostName} link set up0 up", $"ip -n {outside} link set up0 up",
            $"ip -n {lab.HostName} addr add 2001:db8::1/64 dev up0 nodad", $"ip -n {outside} addr add 2001:db8::9/64 dev up0 nodad",
            $"ip netns exec {BoxName} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
        })
        {
            LabNamespaces.Run(command);
        }

        DataplaneInputs inputs = Inputs(PublishedPortsTests.Http with { Backends = [new(box, 1)], Families = IpFamilies.Ipv4 | IpFamilies.Ipv6 });
        Reconcile(inputs);
        Assert.Equal("2001:db8::9", Peer(outside, "2001:db8::1"));
        Assert.Equal("2001:db8::1", Peer(lab.HostName, "2001:db8::1"));
        LabNamespaces.Run($"ip netns exec {BoxName} ip -6 rule del pref 7900");
        Assert.Equal("", Peer(outside, "2001:db8::1"));
        Reconcile(inputs);
        Assert.Equal("2001:db8::9", Peer(outside, "2001:db8::1"));
        (int code, _) = LabNamespaces.TryRun($"ip netns exec {BoxName} ping -6 -c 1 -W 1 2001:db8::9");
        Assert.True(code != 0, "a sandbox begins nothing by IPv6 through the host");
        Reconcile(inputs with { Ports = [] });
        Assert.Equal("", Peer(outside, "2001:db8::1"));
        Assert.DoesNotContain(
            lab.Observe(box).Addresses,
            static a => a is { Device: "ovgw", Address: { AddressFamily: AddressFamily.InterNetworkV6, IsIPv6LinkLocal: false } });
        Assert.Empty(lab.Observe(box).Rules);
        Reconcile(inputs with { Endpoints = [], LeftSandboxes = [box] });
    }

    [Fact]
    public void A_host_whose_way_out_is_advertised_does_not_forward_IPv6()
    {
        HostIpv6 Read() => lab.Kernel.ReadIpv6();
        LabNamespaces.Run($"ip netns exec {lab.HostName} sysctl -qw net.ipv6.conf.all.forwarding=0");
        LabNamespaces.Run($"ip -n {lab.HostName} link add up1 type bridge");
        LabNamespaces.Run($"ip netns exec {lab.HostName} sysctl -qw net.ipv6.conf.up1.accept_ra=1");
        LabNamespaces.Run($"ip -n {lab.HostName} link set up1 up");
        Assert.Equal(new(IsOn: true), Read());
        LabNamespaces.Run($"ip -n {lab.HostName} -6 route add default dev up1 proto ra");
        Assert.Equal((false, "up1"), (Read().MayForward, Read().AdvertisedBy));
        LabNamespaces.Run($"ip netns exec {lab.HostName} sysctl -qw net.ipv6.conf.up1.accept_ra=2");
        Assert.True(Read().MayForward);
        LabNamespaces.Run($"ip netns exec {lab.HostName} sysctl -qw net.ipv6.conf.up1.accept_ra=1 net.ipv6.conf.all.forwarding=1");
        Assert.True(Read().MayForward);
        LabNamespaces.Run($"ip netns exec {lab.HostName} sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
        Assert.Equal(new(IsOn: false), Read());
    }

    [Fact]
    public void Every_table_is_listed_as_it_was_written()
    {
        Prng prng = new(9);
        for (int round = 0; round < 60; round++)
        {
            Reconcile(Inputs([.. Enumerable.Range(0, 1 + prng.Next(9)).Select(i => Scene.Port($"s{i}", prng) with { Backends = [new(box, 1)] })]));
        }
    }

    [Fact]
    public void The_loopback_of_the_host_is_closed_to_sandboxes()
    {
        Reconcile(Inputs(PublishedPortsTests.Http with { Backends = [new(box, 1)] }));
        LabNamespaces.Run($"ip -n {BoxName} route add 127.0.0.1/32 via 172.30.0.1 dev ovgw table 79");
        LabNamespaces.Run($"ip -n {BoxName} rule add to 127.0.0.1 table 79 pref 0");
        LabNamespaces.Run($"ip netns exec {BoxName} sysctl -qw net.ipv4.conf.all.route_localnet=1");
        (int code, string said) = LabNamespaces.TryRun($"ip netns exec {BoxName} timeout 1 bash -c :</dev/tcp/127.0.0.1/80");
        Assert.True(code != 0, $"exit {code}: {said}");
    }

    [Theory]
    [InlineData("172.30.0.2/32", RouteEntry.OwnTable, 0)]
    [InlineData("0.0.0.0/0", 100_259, 259)]
    [InlineData("fd00::2/128", RouteEntry.OwnTable, 0)]
    [InlineData("::/0", 100_259, 259)]
    public void A_rule_is_added_once_and_removed_once(string source, int table, int mark)
    {
        RuleEntry rule = new(IPNetwork.Parse(source), table, 7900, (uint)mark);
        for (int i = 0; i < 2; i++)
        {
            lab.Apply(new Operation.AddRule(box, rule));
            Assert.Equal([rule], lab.Observe(box).Rules);
        }

        LabNamespaces.Run($"ip -n {BoxName} rule add from 10.1.1.1 table 79 pref 7900");
        Assert.Equal([rule], lab.Observe(box).Rules);
        for (int i = 0; i < 2; i++)
        {
            lab.Apply(new Operation.DeleteRule(box, rule));
            Assert.Empty(lab.Observe(box).Rules);
        }

        Assert.Contains("10.1.1.1", LabNamespaces.Run($"ip -n {BoxName} rule show"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_route_of_a_large_table_is_found_there_and_taken_away()
    {
        LabNamespaces.Run($"ip -n {BoxName} link add dummy0 type bridge");
        LabNamespaces.Run($"ip -n {BoxName} link set dummy0 up");
        RouteEntry route = new(IPNetwork.Parse("0.0.0.0/0"), null, "dummy0", 1024, RouteEntry.TableOfMark(65535));
        lab.Apply(new Operation.ReplaceRoute(box, route));
        Assert.Equal([route], lab.Observe(box).Routes);
        Assert.Contains("dev dummy0", LabNamespaces.Run($"ip -n {BoxName} route show table 165535"), StringComparison.Ordinal);
        lab.Apply(new Operation.DeleteRoute(box, route));
        Assert.Empty(lab.Observe(box).Routes);
    }

    private string BoxName => Path.GetFileName(box.Value);

    private static NetworkId Network => new(0x4444_0000_0000_0000UL + (uint)Environment.ProcessId);

    private DataplaneInputs Inputs(params HostPort[] ports) => Scene.Fixed with
    {
        Networks = [Scene.Fixed.Networks[0] with { Id = Network }],
        Endpoints = [Scene.Fixed.Endpoints[0] with { Network = Network, Sandbox = box }],
        Remotes = [],
        Ports = [.. ports],
    };

    private void Reconcile(DataplaneInputs inputs)
    {
        HostState wish = Desired.For(inputs);
        NamespaceName overlay = Desired.NamespaceOf(inputs.Networks[0].Id);
        lab.Overlay(overlay);
        lab.Apply([.. PlanFor(wish).Operations]);
        Assert.Empty(PlanFor(wish).Operations);
    }

    private Plan PlanFor(HostState wish)
    {
        IEnumerable<NamespaceName> overlays = lab.Overlays.Where(lab.Kernel.Namespaces.List().Contains);
        return Planner.Plan(wish, lab.Kernel.Observe(Planner.NamespacesToObserve(wish, overlays), wish.SysctlPaths()));
    }

    /// <summary>Whom the backend sees when somebody there connects to port 80 of that address; empty: nobody.</summary>
    private string Peer(string from, string to)
    {
        string server = "import socket; s = socket.create_server(('', 8080), family=socket.AF_INET6, dualstack_ipv6=True); s.settimeout(2); "
            + "print(flush=True); c, a = s.accept(); print(a[0].removeprefix('::ffff:'))";
        using Process listening = Process.Start(new ProcessStartInfo("ip")
        {
            ArgumentList = { "netns", "exec", BoxName, "python3", "-c", server },
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        // It listens.
        listening.StandardOutput.ReadLine();
        LabNamespaces.TryRun($"ip netns exec {from} timeout 1 bash -c :</dev/tcp/{to}/80");
        listening.WaitForExit();
        return listening.StandardOutput.ReadToEnd().Trim();
    }
}

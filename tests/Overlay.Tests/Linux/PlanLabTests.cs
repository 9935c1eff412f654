using System.Diagnostics;
using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;

namespace Overlay.Tests.Linux;

/// <summary>Wish → plan → kernel → observation: after one round nothing is left to be done.</summary>
[Trait("Layer", "lab")]
public sealed class PlanLabTests(ITestOutputHelper output) : IDisposable
{
    private readonly LabNamespaces lab = new();
    private readonly Prng prng = new((ulong)Environment.TickCount64);

    public void Dispose() => lab.Dispose();

    [Fact]
    public void A_plan_leads_to_the_wish_and_drift_back_to_it()
    {
        DataplaneInputs inputs = Inputs();
        HostState wish = Desired.For(inputs);
        Reconcile(wish);
        AssertNothingToDo(wish);

        NamespaceName overlay = Desired.NamespaceOf(inputs.Networks[0].Id);
        NamespaceState before = lab.Observe(overlay);
        string mac = inputs.Remotes[0].Mac.ToString();
        string box = inputs.Endpoints[0].Sandbox.Value.Split('/')[^1];
        foreach (string drift in new[]
        {
            $"bridge -n {overlay} fdb del {mac} dev vxlan0 dst {inputs.Remotes[0].Vtep} self",
            $"ip -n {overlay} neigh flush dev vxlan0 nud permanent",
            $"ip -n {overlay} link set br0 down",
            $"ip -n {overlay} link set {Desired.PortOf(inputs.Endpoints[0].Id)} nomaster mtu 1300",
            $"ip -n {overlay} addr flush dev br0",
            $"ip netns exec {lab.HostName} nft flush ruleset",
            $"ip -n {box} route flush proto 79",
            $"ip -n {box} link del eth0",
            $"ip -n {overlay} link del vxlan0",
            $"ip -n {lab.HostName} link del ovgw0",
        })
        {
            LabNamespaces.Run(drift);
            Assert.NotEmpty(PlanFor(wish).Operations);
            Reconcile(wish);
            AssertNothingToDo(wish);
        }

        Assert.Equal(before.Links["br0"].Index, lab.Observe(overlay).Links["br0"].Index);
        HostState nothing = Desired.For(inputs with { Endpoints = [] });
        Reconcile(nothing);
        AssertNothingToDo(nothing);
        Assert.Empty(lab.Kernel.Observe([overlay], []).Namespaces);
        Assert.Equal(["lo"], lab.Observe(inputs.Endpoints[0].Sandbox).Links.Keys.Where(name => name != "ovgw"));
    }

    [Fact]
    public void One_more_endpoint_costs_milliseconds()
    {
        DataplaneInputs inputs = Inputs();
        DataplaneInputs first = inputs with { Endpoints = [inputs.Endpoints[0]] };
        for (int round = 0; round < 5; round++)
        {
            Reconcile(Desired.For(first));
            HostState wish = Desired.For(inputs);
            Plan plan = PlanFor(wish);
            long start = Stopwatch.GetTimestamp();
            IReadOnlyList<OperationResult> results = lab.Kernel.Execute(plan.Operations);
            TimeSpan execution = Stopwatch.GetElapsedTime(start);
            start = Stopwatch.GetTimestamp();
            HostState observed = Observe(wish);
            TimeSpan observation = Stopwatch.GetElapsedTime(start);
            Assert.All(results, result => Assert.True(result.Succeeded, result.Error));
            output.WriteLine(
                $"{results.Count} operations: {execution.TotalMilliseconds:f1} ms; "
                + $"observing {observed.Namespaces.Count} namespaces: {observation.TotalMilliseconds:f1} ms");
        }
    }

    private DataplaneInputs Inputs()
    {
        NetworkId network = new(prng.NextUInt64());
        lab.Overlay(Desired.NamespaceOf(network));
        OverlaySegment[] segments =
        [
            new(
                new(8001), IPNetwork.Parse("10.0.0.0/24"), IPAddress.Parse("10.0.0.1"), IPNetwork.Parse("fd00::/64"),
                IPAddress.Parse("fd00::1")),
            new(
                new(8002), IPNetwork.Parse("10.0.1.0/24"), IPAddress.Parse("10.0.1.1"), IPNetwork.Parse("fd00:1::/64"),
                IPAddress.Parse("fd00:1::1")),
        ];
        return new()
        {
            Vtep = IPAddress.Parse("192.0.2.1"),
            UnderlayMtu = 1500,
            VxlanPort = 4789,
            GatewayPrefix = IPNetwork.Parse("172.30.0.0/16"),
            Networks = [new() { Id = network, Name = "n", Segments = [.. segments] }],
            Endpoints = [Endpoint(network, 0, 2), Endpoint(network, 1, 3)],
            Remotes =
            [
                Remote(network, 0, 9, IPAddress.Parse("fd00::9")),
                Remote(network, 1, 8, null),
            ],
        };
    }

    private static RemoteEndpoint Remote(NetworkId network, int segment, int host, IPAddress? ipv6) => new(
        network,
        segment,
        new(0x0242_0a00_0000UL + (ulong)host),
        IPAddress.Parse($"10.0.{segment}.{host}"),
        ipv6,
        IPAddress.Parse($"192.0.2.{host}"));

    private LocalEndpoint Endpoint(NetworkId network, int segment, int host) => new()
    {
        Id = new(prng.NextUInt64()),
        Network = network,
        Segment = segment,
        Sandbox = new($"/run/netns/{lab.Make($"box{host}")}"),
        Interface = "eth0",
        Mac = new(0x0242_0a00_0000UL + (ulong)host),
        Ipv4 = IPAddress.Parse($"10.0.{segment}.{host}"),
        Ipv6 = IPAddress.Parse($"fd00:{segment}::{host}"),
        GatewaySlot = host,
    };

    private HostState Observe(HostState wish) => lab.Kernel.Observe(
        Planner.NamespacesToObserve(wish, lab.Overlays), wish.SysctlPaths());

    private Plan PlanFor(HostState wish) => Planner.Plan(wish, Observe(wish));

    private void Reconcile(HostState wish) => lab.Apply([.. PlanFor(wish).Operations]);

    private void AssertNothingToDo(HostState wish) => Assert.Equal("", PlanFor(wish).ToString());
}

using System.Diagnostics;
using System.Net;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Primitives;

namespace Overlay.Tests.Linux;

/// <summary>Two machines on one wire, a sandbox on each, and an overlay between them, all by plans.</summary>
[Trait("Layer", "lab")]
public sealed class OverlayTrafficLabTests(ITestOutputHelper output) : IDisposable
{
    private readonly LabNamespaces lab = new();

    public void Dispose() => lab.Dispose();

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.2", 24)]
    [InlineData("2001:db8::1", "2001:db8::2", 64)]
    public void A_ping_crosses(string left, string right, int prefixLength)
    {
        string leftHost = lab.HostName;
        string rightHost = lab.Make("host2");
        LabNamespaces.Run($"ip -n {leftHost} link add wire0 mtu 1500 type veth peer name wire0 netns {rightHost}");
        foreach ((string host, string address) in new[] { (leftHost, left), (rightHost, right) })
        {
            string noDad = address.Contains(':', StringComparison.Ordinal) ? " nodad" : "";
            LabNamespaces.Run($"ip -n {host} addr add {address}/{prefixLength} dev wire0{noDad}");
            LabNamespaces.Run($"ip -n {host} link set wire0 up");
        }

        using KernelHost other = LabNamespaces.HostOn(rightHost);
        string leftBox = lab.Make("box1");
        string rightBox = lab.Make("box2");
        Attach(lab.Kernel, "n1", leftBox, left, 2, right, 3);
        Attach(other, "n2", rightBox, right, 3, left, 2);

        string sockets = LabNamespaces.Run($"ip netns exec {leftHost} ss -Hnul");
        Assert.Contains(":4789", sockets, StringComparison.Ordinal);
        LabNamespaces.Run($"ip netns exec {leftBox} ping -c 2 -i 0.05 -W 2 10.0.0.3");
        LabNamespaces.Run($"ip netns exec {rightBox} ping -c 2 -i 0.05 -W 2 fd00::2");
    }

    [Fact]
    public void A_thousand_entries_and_an_attachment_in_time()
    {
        NamespaceName overlay = lab.Overlay("big");
        lab.Apply(new Operation.CreateNamespace(overlay), new Operation.CreateLink(overlay, Vxlan("192.0.2.1")));
        for (int round = 0; round < 5; round++)
        {
            List<Operation> plan = [];
            for (int i = 0; i < 1000; i++)
            {
                MacAddress mac = new(0x0242_0a00_0000UL + (ulong)i);
                IPAddress vtep = new([192, 0, 2, (byte)(2 + round)]);
                plan.Add(new Operation.ReplaceFdb(overlay, new("vxlan0", mac, vtep)));
                IPAddress address = new([10, 0, (byte)(i >> 8), (byte)i]);
                plan.Add(new Operation.ReplaceNeighbour(overlay, new("vxlan0", address, mac)));
            }

            long start = Stopwatch.GetTimestamp();
            IReadOnlyList<OperationResult> results = lab.Kernel.Execute(plan);
            Print("1,000 FDB + 1,000 neighbours", start);
            Assert.All(results, result => Assert.True(result.Succeeded, result.Error));
            start = Stopwatch.GetTimestamp();
            NamespaceState state = lab.Observe(overlay);
            Print("observing them", start);
            Assert.Equal((1000, 1000), (state.Fdb.Count, state.Neighbours.Count));

            string box = lab.Make($"box{round}");
            start = Stopwatch.GetTimestamp();
            Attach(lab.Kernel, $"n{round}", box, "192.0.2.1", 2, "192.0.2.2", 3, vni: (uint)(7100 + round));
            Print("first attachment, with namespace and devices", start);
        }
    }

    private void Print(string what, long start) =>
        output.WriteLine($"{what}: {Stopwatch.GetElapsedTime(start).TotalMilliseconds:f1} ms");

    private static LinkState Vxlan(string vtep, uint vni = 7000) => new()
    {
        Name = "vxlan0",
        Kind = LinkKind.Vxlan,
        Mtu = 1430,
        Up = true,
        Vxlan = new(new(vni), IPAddress.Parse(vtep), 4789, false, true, true, true),
    };

    private static MacAddress MacOf(int host) => new(0x0242_0a00_0000UL + (ulong)host);

    private void Attach(
        KernelHost kernel, string network, string box, string vtep, int own, string remoteVtep, int remote,
        uint vni = 7001)
    {
        NamespaceName overlay = lab.Overlay(network);
        NamespaceName sandbox = new($"/run/netns/{box}");
        LinkState inside = new() { Name = "eth0", Kind = LinkKind.Veth, Mtu = 1430, Up = true, Mac = MacOf(own) };
        LinkState outside = new()
        {
            Name = "veth1",
            Kind = LinkKind.Veth,
            Mtu = 1430,
            Up = true,
            Master = "br0",
            Peer = new(sandbox, "eth0"),
        };
        IPAddress remote4 = IPAddress.Parse($"10.0.0.{remote}");
        IPAddress remote6 = IPAddress.Parse($"fd00::{remote}");
        foreach (OperationResult result in kernel.Execute(
        [
            new Operation.CreateNamespace(overlay),
            new Operation.CreateLink(overlay, new() { Name = "br0", Kind = LinkKind.Bridge, Mtu = 1430, Up = true }),
            new Operation.CreateLink(overlay, Vxlan(vtep, vni) with { Master = "br0" }),
            new Operation.CreateLink(overlay, outside, inside),
            new Operation.ReplaceAddress(sandbox, new("eth0", IPAddress.Parse($"10.0.0.{own}"), 24)),
            new Operation.ReplaceAddress(sandbox, new("eth0", IPAddress.Parse($"fd00::{own}"), 64)),
            new Operation.ReplaceFdb(overlay, new("vxlan0", MacOf(remote), IPAddress.Parse(remoteVtep))),
            new Operation.ReplaceNeighbour(overlay, new("vxlan0", remote4, MacOf(remote))),
            new Operation.ReplaceNeighbour(overlay, new("vxlan0", remote6, MacOf(remote))),
        ]))
        {
            Assert.True(result.Succeeded, result.Error);
        }
    }
}

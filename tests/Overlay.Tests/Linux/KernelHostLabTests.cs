using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;

namespace Overlay.Tests.Linux;

[Trait("Layer", "lab")]
public sealed class KernelHostLabTests : IDisposable
{
    private static readonly MacAddress SomeMac = new(0x0242_0a00_0002);
    private static readonly MacAddress OtherMac = new(0x0242_0a00_0003);

    private readonly LabNamespaces lab = new();
    private readonly NamespaceName overlay;

    public KernelHostLabTests() => overlay = lab.Overlay("a");

    public static TheoryData<string> Vteps => ["192.0.2.1", "2001:db8::1"];

    public void Dispose() => lab.Dispose();

    [Fact]
    public void A_namespace_is_made_once_and_has_its_loopback_up()
    {
        lab.Apply(new Operation.CreateNamespace(overlay));
        string before = LabNamespaces.Run($"stat -L -c %i /run/netns/{overlay}");
        lab.Apply(new Operation.CreateNamespace(overlay));
        Assert.Equal(before, LabNamespaces.Run($"stat -L -c %i /run/netns/{overlay}"));
        LinkState loopback = lab.Observe(overlay).Links["lo"];
        Assert.Equal(LinkKind.Loopback, loopback.Kind);
        Assert.True(loopback.Up);
    }

    [Fact]
    public void A_deleted_namespace_is_absent_and_its_VNI_is_free_at_once()
    {
        Vni vni = new(5001);
        for (int i = 0; i < 5; i++)
        {
            lab.Apply(new Operation.CreateNamespace(overlay), new Operation.CreateLink(overlay, Vxlan("vxlan0", vni)));
            Assert.Equal(vni, lab.Observe(overlay).Links["vxlan0"].Vxlan!.Vni);
            lab.Apply(new Operation.DeleteNamespace(overlay), new Operation.DeleteNamespace(overlay));
            Assert.Empty(lab.Kernel.Observe([overlay], []).Namespaces);
            Assert.False(File.Exists($"/run/netns/{overlay}"));
        }
    }

    [Theory]
    [MemberData(nameof(Vteps))]
    public void A_bridge_with_a_VXLAN_port_is_as_asked_and_stays_when_asked_again(string vtep)
    {
        VxlanAttributes vxlan = new(new(5002), IPAddress.Parse(vtep), 4789, false, true, true, true);
        LinkState bridge = new() { Name = "br0", Kind = LinkKind.Bridge, Mac = SomeMac, Mtu = 1400, Up = true };
        LinkState port = new()
        {
            Name = "vxlan0",
            Kind = LinkKind.Vxlan,
            Mtu = 1400,
            Up = true,
            Master = "br0",
            Vxlan = vxlan,
            Mac = OtherMac,
            Alias = "overlayd network x",
        };
        lab.Apply(
            new Operation.CreateNamespace(overlay), new Operation.CreateLink(overlay, bridge),
            new Operation.CreateLink(overlay, port));
        NamespaceState first = lab.Observe(overlay);
        Assert.Equal(bridge with { Index = first.Links["br0"].Index }, first.Links["br0"]);
        Assert.Equal(port with { Index = first.Links["vxlan0"].Index }, first.Links["vxlan0"]);

        lab.Apply(new Operation.CreateLink(overlay, bridge), new Operation.CreateLink(overlay, port));
        Assert.Equal(first.Links, lab.Observe(overlay).Links);
    }

    [Fact]
    public void A_link_of_the_name_but_of_another_nature_is_replaced_in_our_namespace()
    {
        LinkState vxlan = Vxlan("x0", new(5003));
        lab.Apply(
            new Operation.CreateNamespace(overlay),
            new Operation.CreateLink(overlay, new() { Name = "x0", Kind = LinkKind.Bridge }),
            new Operation.CreateLink(overlay, vxlan));
        Assert.Equal(LinkKind.Vxlan, lab.Observe(overlay).Links["x0"].Kind);
        LinkState other = vxlan with { Vxlan = vxlan.Vxlan! with { Vni = new(5004) } };
        lab.Apply(new Operation.CreateLink(overlay, other));
        Assert.Equal(new Vni(5004), lab.Observe(overlay).Links["x0"].Vxlan!.Vni);
    }

    [Fact]
    public void A_pair_is_placed_in_two_namespaces_and_adopted_when_asked_again()
    {
        NamespaceName sandbox = new($"/run/netns/{lab.Make("box")}");
        Operation.CreateLink pair = Pair(sandbox);
        lab.Apply(
            new Operation.CreateNamespace(overlay),
            new Operation.CreateLink(overlay, new() { Name = "br0", Kind = LinkKind.Bridge, Up = true }),
            pair);
        LinkState outside = lab.Observe(overlay).Links["veth1"];
        LinkState inside = lab.Observe(sandbox).Links["eth0"];
        Assert.Equal(pair.Link with { Peer = null, Index = outside.Index, Mac = outside.Mac }, outside);
        Assert.Equal(pair.PeerLink! with { Index = inside.Index }, inside);

        lab.Apply(pair);
        Assert.Equal(outside, lab.Observe(overlay).Links["veth1"]);
        Assert.Equal(inside, lab.Observe(sandbox).Links["eth0"]);

        lab.Apply(new Operation.DeleteLink(overlay, "veth1"), new Operation.DeleteLink(overlay, "veth1"));
        Assert.DoesNotContain("eth0", lab.Observe(sandbox).Links.Keys);
    }

    [Fact]
    public void A_strangers_interface_in_a_sandbox_is_left_alone()
    {
        string box = lab.Make("box");
        LabNamespaces.Run($"ip -n {box} link add eth0 type bridge");
        lab.Apply(
            new Operation.CreateNamespace(overlay),
            new Operation.CreateLink(overlay, new() { Name = "br0", Kind = LinkKind.Bridge }));
        OperationResult result = lab.Kernel.Execute([Pair(new(box))])[0];
        Assert.Equal(17, result.Errno);
        Assert.Contains("eth0", result.Error, StringComparison.Ordinal);
        Assert.Contains("EEXIST", result.Error, StringComparison.Ordinal);
        Assert.Equal(LinkKind.Bridge, lab.Observe(new(box)).Links["eth0"].Kind);
    }

    [Fact]
    public void Entries_are_as_asked_replaced_when_asked_otherwise_and_gone_when_deleted()
    {
        IPAddress vtep = IPAddress.Parse("192.0.2.7");
        IPAddress otherVtep = IPAddress.Parse("192.0.2.8");
        MakeVxlan(new(5005));
        foreach ((MacAddress mac, IPAddress to) in new[] { (SomeMac, vtep), (SomeMac, vtep), (OtherMac, otherVtep) })
        {
            FdbEntry fdb = new("vxlan0", mac, to);
            NeighbourEntry v4 = new("vxlan0", IPAddress.Parse("10.0.0.2"), mac);
            NeighbourEntry v6 = new("vxlan0", IPAddress.Parse("fd00::2"), mac);
            lab.Apply(
                new Operation.ReplaceFdb(overlay, fdb), new Operation.ReplaceNeighbour(overlay, v4),
                new Operation.ReplaceNeighbour(overlay, v6));
            NamespaceState state = lab.Observe(overlay);
            Assert.Contains(fdb, state.Fdb);
            Assert.Equal(ImmutableSortedSet.Create(v4, v6), state.Neighbours);
        }

        FdbEntry moved = new("vxlan0", SomeMac, otherVtep);
        lab.Apply(new Operation.ReplaceFdb(overlay, moved));
        FdbEntry old = moved with { Vtep = vtep };
        lab.Apply(new Operation.DeleteFdb(overlay, old));
        Assert.Contains(moved, lab.Observe(overlay).Fdb);
        Assert.DoesNotContain(old, lab.Observe(overlay).Fdb);

        Operation[] deletes =
        [
            new Operation.DeleteFdb(overlay, moved),
            new Operation.DeleteFdb(overlay, new("vxlan0", OtherMac, otherVtep)),
            new Operation.DeleteNeighbour(overlay, new("vxlan0", IPAddress.Parse("10.0.0.2"), OtherMac)),
            new Operation.DeleteNeighbour(overlay, new("vxlan0", IPAddress.Parse("fd00::2"), OtherMac)),
        ];
        lab.Apply(deletes);
        lab.Apply(deletes);
        NamespaceState end = lab.Observe(overlay);
        Assert.Empty(end.Fdb);
        Assert.Empty(end.Neighbours);
    }

    [Fact]
    public void Addresses_and_routes_are_as_asked_and_gone_when_deleted()
    {
        AddressEntry v4 = new("br0", IPAddress.Parse("10.0.0.1"), 24);
        AddressEntry v6 = new("br0", IPAddress.Parse("fd00::1"), 64);
        RouteEntry[] routes =
        [
            new(IPNetwork.Parse("0.0.0.0/0"), IPAddress.Parse("10.0.0.254"), "br0", 0),
            new(IPNetwork.Parse("10.9.0.0/16"), null, "br0", 5),
            new(IPNetwork.Parse("::/0"), IPAddress.Parse("fd00::fe"), "br0", 1024),
            new(IPNetwork.Parse("fd01::/48"), null, "br0", 7),
        ];
        Operation[] plan =
        [
            new Operation.CreateNamespace(overlay),
            new Operation.CreateLink(overlay, new() { Name = "br0", Kind = LinkKind.Bridge, Up = true }),
            new Operation.ReplaceAddress(overlay, v4),
            new Operation.ReplaceAddress(overlay, v6),
            .. routes.Select(route => new Operation.ReplaceRoute(overlay, route)),
        ];
        lab.Apply(plan);
        lab.Apply(plan);
        NamespaceState state = lab.Observe(overlay);
        Assert.Contains(v4, state.Addresses);
        Assert.Contains(v6, state.Addresses);
        Assert.Equal([.. routes], state.Routes);

        RouteEntry moved = routes[0] with { Gateway = IPAddress.Parse("10.0.0.253") };
        lab.Apply(new Operation.ReplaceRoute(overlay, moved));
        Assert.Contains(moved, lab.Observe(overlay).Routes);
        Assert.DoesNotContain(routes[0], lab.Observe(overlay).Routes);
        routes[0] = moved;

        Operation[] deletes =
        [
            .. routes.Select(route => new Operation.DeleteRoute(overlay, route)),
            new Operation.DeleteAddress(overlay, v4), new Operation.DeleteAddress(overlay, v6),
        ];
        lab.Apply(deletes);
        lab.Apply(deletes);
        state = lab.Observe(overlay);
        Assert.Empty(state.Routes);
        Assert.DoesNotContain(v4, state.Addresses);
        Assert.DoesNotContain(v6, state.Addresses);
    }

    [Fact]
    public void A_link_is_changed_and_released()
    {
        lab.Apply(
            new Operation.CreateNamespace(overlay),
            new Operation.CreateLink(overlay, new() { Name = "br0", Kind = LinkKind.Bridge }),
            new Operation.CreateLink(overlay, Vxlan("vxlan0", new(5006))),
            new Operation.ChangeLink(overlay, "vxlan0", 1300, OtherMac, "br0", true, "overlayd x"));
        LinkState link = lab.Observe(overlay).Links["vxlan0"];
        Assert.Equal(
            (1300, OtherMac, "br0", true, "overlayd x"),
            (link.Mtu, link.Mac!.Value, link.Master, link.Up, link.Alias));
        lab.Apply(new Operation.ChangeLink(overlay, "vxlan0", Master: "", Up: false, Alias: ""));
        link = lab.Observe(overlay).Links["vxlan0"];
        Assert.Equal((1300, OtherMac, null, false, ""), (link.Mtu, link.Mac!.Value, link.Master, link.Up, link.Alias));
    }

    [Fact]
    public void Sysctls_are_those_of_the_namespace()
    {
        const string Forward = "net/ipv4/ip_forward";
        lab.Apply(new Operation.CreateNamespace(overlay), new Operation.SetSysctl(overlay, Forward, "1"));
        Assert.Equal("1", lab.Observe(overlay, Forward).Sysctls[Forward]);
        Assert.Equal("0", lab.Observe(NamespaceName.Host, Forward).Sysctls[Forward]);
        Assert.DoesNotContain("net/ipv4/no_such", lab.Observe(overlay, "net/ipv4/no_such").Sysctls.Keys);
        foreach (string path in new[] { "../../etc/passwd", "net/../../x", "/x", "" })
        {
            Assert.Equal(22, lab.Kernel.Execute([new Operation.SetSysctl(overlay, path, "1")])[0].Errno);
        }
    }

    [Fact]
    public void The_nft_table_is_replaced_listed_and_deleted_and_foreign_tables_stay()
    {
        const string Table = """
            table inet overlayd {
            	chain postrouting {
            		type nat hook postrouting priority srcnat; policy accept;
            		ip saddr 10.0.0.0/24 counter masquerade
            	}
            }

            """;
        string box = lab.Make("box");
        LabNamespaces.Run($"ip netns exec {box} nft add table inet stranger");
        NamespaceName name = new(box);
        Assert.Null(lab.Observe(name).NftTable);
        lab.Apply(new Operation.DeleteNftTable(name), new Operation.ReplaceNftTable(name, Table));
        Assert.Equal(Table, lab.Observe(name).NftTable);
        string other = Table.Replace("10.0.0.0/24", "10.1.0.0/24", StringComparison.Ordinal);
        lab.Apply(new Operation.ReplaceNftTable(name, other), new Operation.ReplaceNftTable(name, other));
        Assert.Equal(other, lab.Observe(name).NftTable);

        Operation nonsense = new Operation.ReplaceNftTable(name, "table inet overlayd { nonsense");
        OperationResult wrong = lab.Kernel.Execute([nonsense])[0];
        Assert.False(wrong.Succeeded);
        Assert.Contains("syntax error", wrong.Error, StringComparison.Ordinal);
        Assert.Equal(other, lab.Observe(name).NftTable);

        lab.Apply(new Operation.DeleteNftTable(name), new Operation.DeleteNftTable(name));
        Assert.Null(lab.Observe(name).NftTable);
        string tables = LabNamespaces.Run($"ip netns exec {box} nft list tables");
        Assert.Contains("stranger", tables, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_not_there_is_an_error_to_change_and_a_success_to_delete()
    {
        NamespaceName nowhere = new("ovt-nowhere");
        AddressEntry address = new("nothing", IPAddress.Parse("10.0.0.1"), 24);
        IReadOnlyList<OperationResult> results = lab.Kernel.Execute(
        [
            new Operation.ReplaceAddress(nowhere, address), new Operation.DeleteAddress(nowhere, address),
            new Operation.ReplaceAddress(NamespaceName.Host, address),
            new Operation.DeleteAddress(NamespaceName.Host, address),
            new Operation.DeleteLink(nowhere, "x"), new Operation.DeleteNftTable(nowhere),
            new Operation.CreateLink(nowhere, new() { Name = "x", Kind = LinkKind.Bridge }),
            new Operation.ChangeLink(NamespaceName.Host, "nothing", Up: true),
            new Operation.ReplaceAddress(NamespaceName.Host, address with { Device = "lo", PrefixLength = 77 }),
            new Operation.CreateNamespace(new("..")),
            new Operation.DeleteNamespace(NamespaceName.Host),
            new Operation.ReplaceAddress(new("/etc/passwd"), address),
        ]);
        Assert.Equal([2, 0, 19, 0, 0, 0, 2, 19, 22, 22, 22, 22], results.Select(result => result.Errno));
        Assert.All(results, result => Assert.Equal(result.Succeeded, result.Error is null));
        Assert.Contains("ENOENT (No such file or directory)", results[0].Error, StringComparison.Ordinal);
        Assert.Contains("ENODEV", results[2].Error, StringComparison.Ordinal);
        Assert.Contains("not a network namespace", results[11].Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_kernels_own_words_are_in_the_error()
    {
        MakeVxlan(new(5007));
        OperationResult result = lab.Kernel.Execute([new Operation.CreateLink(overlay, Vxlan("vxlan1", new(5007)))])[0];
        Assert.Equal(17, result.Errno);
        Assert.Contains("VNI", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void One_failure_in_a_batch_leaves_the_others_done()
    {
        MakeVxlan(new(5008));
        IReadOnlyList<OperationResult> results = lab.Kernel.Execute(
        [
            new Operation.ReplaceFdb(overlay, new("vxlan0", SomeMac, IPAddress.Parse("192.0.2.9"))),
            new Operation.ReplaceFdb(overlay, new("vxlan0", SomeMac, IPAddress.Parse("2001:db8::9"))),
            new Operation.ReplaceFdb(overlay, new("vxlan0", OtherMac, IPAddress.Parse("192.0.2.9"))),
        ]);
        Assert.Equal([true, false, true], results.Select(result => result.Succeeded));
        Assert.Equal(2, lab.Observe(overlay).Fdb.Count);
    }

    [Fact]
    public void A_batch_of_which_everything_fails_tells_so_of_each()
    {
        MakeVxlan(new(5009));
        IReadOnlyList<OperationResult> results = lab.Kernel.Execute(
        [
            .. Enumerable.Range(0, 3000).Select(i => new Operation.ReplaceFdb(
                overlay, new("vxlan0", new(0x0242_0a00_0000UL + (ulong)i), IPAddress.Parse("2001:db8::9")))),
        ]);
        Assert.Equal(3000, results.Count);
        Assert.All(results, result => Assert.Equal(97, result.Errno));
        Assert.Empty(lab.Observe(overlay).Fdb);
    }

    [Fact]
    public void Only_a_name_can_be_made_a_namespace()
    {
        foreach (string name in new[] { "", "/run/netns/ovt-x", "a/b", ".." })
        {
            Assert.Equal(22, lab.Kernel.Execute([new Operation.CreateNamespace(new(name))])[0].Errno);
        }

        Assert.False(File.Exists("/run/netns/ovt-x"));
    }

    private static LinkState Vxlan(string name, Vni vni) => new()
    {
        Name = name,
        Kind = LinkKind.Vxlan,
        Up = true,
        Vxlan = new(vni, IPAddress.Parse("192.0.2.1"), 4789, false, true, true, true),
    };

    private Operation.CreateLink Pair(NamespaceName sandbox) => new(
        overlay,
        new()
        {
            Name = "veth1",
            Kind = LinkKind.Veth,
            Mtu = 1400,
            Up = true,
            Master = "br0",
            Peer = new(sandbox, "eth0"),
        },
        new()
        {
            Name = "eth0",
            Kind = LinkKind.Veth,
            Mtu = 1400,
            Up = true,
            Mac = SomeMac,
            Alias = "overlayd endpoint 1",
        });

    private void MakeVxlan(Vni vni) =>
        lab.Apply(new Operation.CreateNamespace(overlay), new Operation.CreateLink(overlay, Vxlan("vxlan0", vni)));
}

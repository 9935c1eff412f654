using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux.Namespaces;
using Overlay.Primitives;
using Overlay.Tests.Dataplane;
using Overlay.V1;

namespace Overlay.Tests.Linux;

/// <summary>Tables of services on the real kernel: listed as they were written, obeyed, and without harm to flows.</summary>
[Trait("Layer", "lab")]
public sealed class ServiceTableLabTests : IDisposable
{
    private readonly LabNamespaces lab = new();
    private readonly NamespaceName box;

    public ServiceTableLabTests() => box = new(lab.Make("box"));

    public void Dispose() => lab.Dispose();

    [Fact]
    public void Every_table_is_listed_as_it_was_written()
    {
        Prng prng = new(7);
        for (int round = 0; round < 60; round++)
        {
            List<VirtualService> services = [];
            for (int i = 0; i < 1 + prng.Next(9); i++)
            {
                services.Add(Random(prng, i));
            }

            AssertListed(services, prng.Next(1000));
        }
    }

    [Fact]
    public void A_thousand_backends_and_a_thousand_services_too()
    {
        Prng prng = new(8);
        VirtualService many = Random(prng, 0) with
        {
            Backends = [.. Enumerable.Range(0, 1000).Select(i => new ServiceBackend(new([10, 9, (byte)(i >> 8), (byte)i]), null, 1 + prng.Next(65535)))],
        };
        AssertListed([many, many with { Name = "equal", Ipv4 = IPAddress.Parse("10.8.0.1"), Ipv6 = null, Scheduler = Scheduler.Rr }], 1);
        AssertListed([.. Enumerable.Range(0, 1000).Select(i => Random(prng, i))], 2);
    }

    [Fact]
    public void One_change_after_the_other_and_one_of_a_table_that_is_not_what_it_was_believed_to_be()
    {
        Prng prng = new(11);
        VirtualService[] services = [.. Enumerable.Range(0, 40).Select(i => Random(prng, i))];
        AssertListed(services, 1);
        for (int round = 0; round < 40; round++)
        {
            int at = prng.Next(services.Length);
            services[at] = prng.Chance(0.2) ? services[at] with { Backends = [] } : Random(prng, at);
            string before = lab.Observe(box).NftTable!;
            string after = TableOf(services, 1);
            Assert.NotEqual(NftTableText.Whole(after), NftTableText.Replacement(before, after));
            AssertListed(services, 1);
        }

        string believed = lab.Observe(box).NftTable!;
        LabNamespaces.Run($"ip netns exec {box} nft flush ruleset");
        services[0] = Random(prng, 0);
        lab.Apply(new Operation.ReplaceNftTable(box, TableOf(services, 1), believed));
        Assert.Equal(TableOf(services, 1), lab.Observe(box).NftTable);
    }

    [Theory]
    [InlineData("10.0.0.127")]
    [InlineData("fd00::ffff")]
    public void Without_any_backend_anywhere_it_is_refused_at_once(string address)
    {
        foreach (string command in new[]
        {
            "link add eth0 type bridge", "link set eth0 up", "addr add 10.0.0.20/24 dev eth0", "addr add fd00::14/64 dev eth0 nodad",
        })
        {
            LabNamespaces.Run($"ip -n {box} {command}");
        }

        lab.Apply(new Operation.ReplaceNftTable(box, TableOf([ServiceTableTests.Web()], 1)));
        (int code, string said) = LabNamespaces.TryRun($"ip netns exec {box} timeout 2 bash -c :</dev/tcp/{address}/80");
        Assert.True(code == 1, $"exit {code}: {said}");
    }

    [Fact]
    public void Flows_that_went_elsewhere_are_forgotten_and_answered_connections_are_not()
    {
        string[] entries =
        [
            Flow("udp", 1, "10.0.0.127", "10.0.0.30"),
            Flow("udp", 2, "10.0.0.127", "10.0.0.31"),
            Flow("udp", 3, "10.0.0.127", "10.0.0.127"),
            Flow("udp", 4, "10.0.0.99", "10.0.0.99"),
            Flow("tcp", 5, "10.0.0.127", "10.0.0.31") + " --state ESTABLISHED -u SEEN_REPLY",
            Flow("tcp", 6, "10.0.0.127", "10.0.0.31") + " --state SYN_SENT",
            Flow("udp", 7, "fd00::ffff", "fd00::1f", "fd00::14"),
            "-p icmp -s 10.0.0.20 -d 10.0.0.127 -r 10.0.0.31 -q 10.0.0.20 --icmp-type 8 --icmp-code 0 --icmp-id 8",
        ];
        // Conntrack works where a rule asks for it.
        lab.Apply(new Operation.ReplaceNftTable(box, TableOf([ServiceTableTests.Web((30, 1), (31, 1))], 1)));
        foreach (string entry in entries)
        {
            LabNamespaces.Run($"ip netns exec {box} conntrack -I -t 60 {entry}");
        }

        Assert.Equal(["1", "2", "3", "4", "5", "6", "7", "8"], Flows());
        HostState wish = Wish(box, TableOf([ServiceTableTests.Web((30, 1))], 1));
        Plan plan = Planner.Plan(wish, Observed(box));
        Assert.Equal([typeof(Operation.ReplaceNftTable), typeof(Operation.ForgetFlows)], plan.Operations.Select(static o => o.GetType()));
        lab.Apply([.. plan.Operations]);
        Assert.Equal(["1", "4", "5"], Flows());
        lab.Apply([.. plan.Operations]);
        Assert.Equal(["1", "4", "5"], Flows());
        lab.Apply(new Operation.ForgetFlows(new("/run/netns/of-nobody"), ((Operation.ForgetFlows)plan.Operations[1]).Backends));
    }

    [Fact]
    public void A_client_comes_back_to_the_backend_that_it_had_whatever_happens_to_others()
    {
        LabNamespaces.Run($"ip -n {box} link add eth0 type bridge");
        LabNamespaces.Run($"ip -n {box} link set eth0 up");
        LabNamespaces.Run($"ip -n {box} addr add 10.0.0.20/24 dev eth0");
        LabNamespaces.Run($"ip -n {box} addr add 10.0.0.21/24 dev eth0");
        FlowPolicy hour = new(TimeSpan.FromHours(1), default, default, default);
        VirtualService Sticky(params int[] hosts) =>
            ServiceTableTests.Web([.. hosts.Select(static h => (h, 1))]) with { Scheduler = Scheduler.Rr, Flows = hour };
        AssertListed([Sticky(30, 31)], 1);
        string had = Assert.Single(Backends("10.0.0.20", 6).Distinct());
        string other = had == "10.0.0.30" ? "10.0.0.31" : "10.0.0.30";
        Assert.Equal(other, Assert.Single(Backends("10.0.0.21", 6).Distinct()));

        // Others come, go and are weighed; another time and other rules of the same service touch nobody; a hook comes along.
        AssertListed([Sticky(30, 31, 32)], 1);
        AssertListed([Sticky(30, 31, 32) with { Scheduler = Scheduler.Wrr }, Random(new(3), 4)], 2);
        LabNamespaces.Run($"ip netns exec {box} nft add chain inet overlayd extra {{ type filter hook input priority 7 ; policy accept ; }}");
        AssertListed([Sticky(int.Parse(had[7..], CultureInfo.InvariantCulture), 32) with { Flows = hour with { Udp = TimeSpan.FromMinutes(9) } }], 2);
        Assert.Equal(had, Assert.Single(Backends("10.0.0.20", 6).Distinct()));
        Assert.DoesNotContain(other, Backends("10.0.0.21", 6));

        // Its own goes: one of the others from then on.
        AssertListed([Sticky(32, 33)], 2);
        Assert.NotEqual(had, Assert.Single(Backends("10.0.0.20", 6).Distinct()));
        AssertListed([Sticky(32, 33) with { Flows = default }], 2);
        Assert.Equal(["10.0.0.32", "10.0.0.33"], Backends("10.0.0.20", 6).Distinct().Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("10.0.0.20", "10.0.0.127", "ipv4")]
    [InlineData("fd00::14", "fd00::ffff", "ipv6")]
    public void Flows_are_kept_as_long_as_their_service_says(string from, string address, string family)
    {
        LabNamespaces.Run($"ip -n {box} link add eth0 type bridge");
        LabNamespaces.Run($"ip -n {box} link set eth0 up");
        LabNamespaces.Run($"ip -n {box} addr add 10.0.0.20/24 dev eth0");
        LabNamespaces.Run($"ip -n {box} addr add fd00::14/64 dev eth0 nodad");
        AssertListed([ServiceTableTests.Web((30, 1)) with { Flows = new(default, default, default, TimeSpan.FromSeconds(5000)) }], 1);
        Send(from, address);
        string flow = Assert.Single(
            LabNamespaces.Run($"ip netns exec {box} conntrack -L -p udp -f {family}").Split('\n'),
            static l => l.Contains("dport=53", StringComparison.Ordinal));
        Assert.InRange(int.Parse(flow.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2], CultureInfo.InvariantCulture), 4900, 5000);
    }

    [Fact]
    public void Those_that_mark_for_IPVS_too()
    {
        Prng prng = new(12);
        VirtualService[] services = [.. Enumerable.Range(0, 9).Select(i => Random(prng, i)).OrderBy(static s => s.Name, StringComparer.Ordinal)];
        string table = ServiceTable.Of(services, "1", marks: IpvsServices.Of(services, new SortedSet<IPAddress>(AddressOrder.Instance)))!;
        lab.Apply(new Operation.ReplaceNftTable(box, table));
        Assert.Equal(table, lab.Observe(box).NftTable);
        Assert.Contains("chain marks", table, StringComparison.Ordinal);
        // As where a node changes over, and back.
        AssertListed(services, 1);
        lab.Apply(new Operation.ReplaceNftTable(box, table, lab.Observe(box).NftTable));
        Assert.Equal(table, lab.Observe(box).NftTable);
    }

    [Fact]
    public void What_the_mesh_brings_is_kept_as_long_too()
    {
        FlowPolicy all = new(TimeSpan.FromHours(1), TimeSpan.FromMinutes(20), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(3));
        DataplaneInputs inputs = Scene.Fixed with
        {
            MeshPorts =
            [
                .. new[] { PortProtocol.Tcp, PortProtocol.Udp, PortProtocol.Sctp }.Select((protocol, i) => new MeshPort
                {
                    Service = $"s{i}", Protocol = protocol, Published = 80 + i, Target = 8080, Flows = all, Backends = [new(box, 1)],
                }),
            ],
        };
        string table = ServiceTable.Of([ServiceTableTests.Web((30, 1))], "1", IngressSandbox.ChainsIn(box, inputs))!;
        lab.Apply(new Operation.ReplaceNftTable(box, table));
        Assert.Equal(table, lab.Observe(box).NftTable);
        Assert.Contains("iifname \"ovin\" ct state new udp dport 8080 ", table, StringComparison.Ordinal);
        Assert.Contains("iifname \"ovin\" ct state new tcp dport 8080 ", table, StringComparison.Ordinal);
        Assert.DoesNotContain("sctp", table, StringComparison.Ordinal);
    }

    /// <summary>A datagram from a new port.</summary>
    private void Send(string from, string to)
    {
        using NamespaceHandle inside = lab.Kernel.Namespaces.Open(box);
        InNamespace.Run(inside, () =>
        {
            using UdpClient client = new(new IPEndPoint(IPAddress.Parse(from), 0));
            client.Send([0], new IPEndPoint(IPAddress.Parse(to), 53));
        });
    }

    /// <summary>Where so many flows from an address go, one after the other.</summary>
    private string[] Backends(string from, int count)
    {
        LabNamespaces.Run($"ip netns exec {box} conntrack -F");
        for (int i = 0; i < count; i++)
        {
            Send(from, "10.0.0.127");
        }

        return
        [
            .. LabNamespaces.Run($"ip netns exec {box} conntrack -L -p udp").Split('\n').Where(static l => l.Contains("dport=53", StringComparison.Ordinal))
                .Select(static l => l.Split(" src=")[^1].Split(' ')[0]),
        ];
    }

    private static string Flow(string protocol, int port, string to, string answerer, string from = "10.0.0.20") =>
        $"-p {protocol} -s {from} -d {to} -r {answerer} -q {from} --sport {port} --dport 53 --reply-port-src 53 --reply-port-dst {port}";

    /// <summary>Source ports (or the id of an echo) of all flows, in order.</summary>
    private string[] Flows() =>
    [
        .. new[] { "ipv4", "ipv6" }.SelectMany(family => LabNamespaces.Run($"ip netns exec {box} conntrack -L -f {family}").Split('\n'))
            .Where(static l => l.Contains("src=", StringComparison.Ordinal))
            .Select(static l => l.Contains(" id=", StringComparison.Ordinal) ? l.Split(" id=")[1] : l.Split(" sport=")[1])
            .Select(static l => l.Split(' ')[0]).Order(StringComparer.Ordinal),
    ];

    private void AssertListed(IReadOnlyList<VirtualService> services, int turn)
    {
        string table = TableOf(services, turn);
        // From whatever the round before left.
        lab.Apply(new Operation.ReplaceNftTable(box, table, lab.Observe(box).NftTable));
        Assert.Equal(table, lab.Observe(box).NftTable);
        Assert.Empty(Planner.Plan(Wish(box, table), Observed(box)).Operations);
    }

    private HostState Observed(NamespaceName name) => lab.Kernel.Observe([name], []);

    private static HostState Wish(NamespaceName name, string table) => new()
    {
        Namespaces = HostState.Empty.Namespaces.Add(name, NamespaceState.Empty with { NftTable = table }),
    };

    private static string TableOf(IReadOnlyList<VirtualService> services, int turn) =>
        ServiceTable.Of(services, turn.ToString(CultureInfo.InvariantCulture))!;

    private static VirtualService Random(Prng prng, int number)
    {
        byte[] ipv6 = new byte[16];
        prng.Fill(ipv6);
        ipv6[0] = 0xfd;
        for (int i = 2; i < 16; i++)
        {
            ipv6[i] = prng.Chance(0.5) ? (byte)0 : ipv6[i];
        }

        bool equal = prng.Chance(0.3);
        return new()
        {
            Network = Scene.Red,
            Name = number % 3 == 0 ? $"{number}-x" : number % 3 == 1 ? $"Drop_{number}" : $"map{number}",
            Ipv4 = prng.Chance(0.8) ? new([10, 7, (byte)prng.Next(256), (byte)prng.Next(256)]) : IPAddress.Parse("10.0.0.255"),
            Ipv6 = prng.Chance(0.3) ? null : new(ipv6),
            Scheduler = (Scheduler)prng.Next(4),
            Flows = Scene.Flows(prng),
            Backends =
            [
                .. Enumerable.Range(10, prng.Next(5)).Select(host =>
                {
                    byte[] backend = [.. ipv6];
                    backend[15] = (byte)host;
                    return new ServiceBackend(new([10, 0, 0, (byte)host]), new(backend), equal ? 3 : 1 + prng.Next(prng.Chance(0.2) ? 65535 : 5));
                }),
            ],
        };
    }
}

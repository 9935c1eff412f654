using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Dataplane;

/// <summary>Inputs for tests: fixed ones whose plans people can read, and random ones.</summary>
internal static class Scene
{
    public static readonly NetworkId Red = new(0x1111_1111_1111_1111);

    public static OverlaySegment Segment(int number) => new(
        new(4096 + (uint)number),
        IPNetwork.Parse($"10.0.{number}.0/24"), IPAddress.Parse($"10.0.{number}.1"),
        IPNetwork.Parse($"fd00:{number:x}::/64"), IPAddress.Parse($"fd00:{number:x}::1"));

    public static LocalEndpoint Local(ulong id, NetworkId network, int segment, int subnet, int host, string sandbox) => new()
    {
        Id = new(id),
        Network = network,
        Segment = segment,
        Sandbox = new($"/run/netns/{sandbox}"),
        Interface = "eth0",
        Mac = new(0x0200_0000_0000 + ((ulong)subnet << 16) + (ulong)host),
        Ipv4 = IPAddress.Parse($"10.0.{subnet}.{host}"),
        Ipv6 = IPAddress.Parse($"fd00:{subnet:x}::{host:x}"),
    };

    public static RemoteEndpoint Remote(NetworkId network, int segment, int subnet, int host, int vtep) => new(
        network, segment, new(0x0200_0000_0000 + ((ulong)subnet << 16) + (ulong)host),
        IPAddress.Parse($"10.0.{subnet}.{host}"), IPAddress.Parse($"fd00:{subnet:x}::{host:x}"),
        IPAddress.Parse($"192.0.2.{vtep}"));

    public static DataplaneInputs Fixed { get; } = new()
    {
        Vtep = IPAddress.Parse("192.0.2.1"),
        UnderlayMtu = 1500,
        VxlanPort = 4789,
        GatewayPrefix = IPNetwork.Parse("172.30.0.0/16"),
        Networks = [new() { Id = Red, Name = "red", Segments = [Segment(0), Segment(1)] }],
        Endpoints = [Local(0x2222_2222_2222_2222, Red, 0, 0, 20, "web") with { GatewaySlot = 2 }],
        Remotes = [Remote(Red, 0, 0, 30, 2), Remote(Red, 1, 1, 31, 3)],
    };

    public static DataplaneInputs Random(Prng prng)
    {
        List<OverlayNetwork> networks = [];
        List<LocalEndpoint> locals = [];
        List<RemoteEndpoint> remotes = [];
        List<VirtualService> services = [];
        int subnet = 0;
        for (int n = 0; n < 3; n++)
        {
            NetworkId id = new(((ulong)(n + 1) << 60) | (ulong)prng.Next(4) << 50);
            int first = subnet;
            int segments = 1 + prng.Next(2);
            subnet += 2;
            networks.Add(new() { Id = id, Name = $"n{n}", Segments = [.. Enumerable.Range(first, segments).Select(Segment)] });
            for (int i = prng.Next(4); i > 0; i--)
            {
                int segment = prng.Next(segments);
                int host = 10 + prng.Next(10);
                int box = prng.Next(5);
                locals.Add(Local(((ulong)prng.Next(1 << 10) << 54) + 1, id, segment, first + segment, host, $"box{box}") with
                {
                    Interface = $"eth{prng.Next(3)}",
                    GatewaySlot = prng.Chance(0.3) ? 0 : box + 2,
                });
            }

            for (int i = prng.Next(3); i > 0; i--)
            {
                services.Add(Service(id, $"s{n}{i}", first, prng));
            }

            for (int i = prng.Next(6); i > 0; i--)
            {
                int segment = prng.Next(segments);
                remotes.Add(Remote(id, segment, first + segment, 15 + prng.Next(10), 1 + prng.Next(4)));
            }
        }

        if (prng.Chance(0.6))
        {
            AddIngress(networks, locals, remotes, prng);
        }

        return Fixed with
        {
            Networks = [.. networks],
            Endpoints = [.. locals.DistinctBy(static e => e.Id)],
            Remotes = [.. remotes],
            Services = [.. services],
            Ports = [.. Enumerable.Range(0, prng.Next(4)).Select(i => Port($"p{i}", prng))],
            MeshPorts = [.. Enumerable.Range(0, prng.Next(4)).Select(i => MeshPort($"m{i}", prng))],
            PortSandboxes =
            [
                .. Enumerable.Range(0, prng.Next(4)).Select(box => new PortSandbox(new($"/run/netns/box{box}"), prng.Chance(0.5), prng.Chance(0.5))),
            ],
            HasIpv6Ports = prng.Chance(0.5),
            LoadBalancer = prng.Chance(0.5) ? LoadBalancer.Ipvs : LoadBalancer.Nftables,
            LeftSandboxes = [.. Enumerable.Range(0, 5).Select(static box => new NamespaceName($"/run/netns/box{box}"))],
        };
    }

    private static VirtualService Service(NetworkId network, string name, int subnet, Prng prng) => new()
    {
        Network = network,
        Name = name,
        Ipv4 = IPAddress.Parse($"10.0.{subnet}.{200 + prng.Next(9)}"),
        Ipv6 = prng.Chance(0.5) ? null : IPAddress.Parse($"fd00:{subnet:x}::{200 + prng.Next(9):x}"),
        Scheduler = (Scheduler)prng.Next(4),
        Flows = Flows(prng),
        Backends =
        [
            .. Enumerable.Range(10, prng.Next(4)).Select(host => new ServiceBackend(
                IPAddress.Parse($"10.0.{subnet}.{host}"),
                prng.Chance(0.3) ? null : IPAddress.Parse($"fd00:{subnet:x}::{host:x}"),
                1 + prng.Next(3))),
        ],
    };

    /// <summary>ov-ingress and those of some other nodes, with addresses that change.</summary>
    private static void AddIngress(List<OverlayNetwork> networks, List<LocalEndpoint> locals, List<RemoteEndpoint> remotes, Prng prng)
    {
        NetworkId id = new(((ulong)7 << 60) | (ulong)prng.Next(2) << 50);
        networks.Add(new() { Id = id, Name = "ingress", Internal = true, Segments = [Segment(99)] });
        locals.Add(Local(((ulong)prng.Next(1 << 10) << 54) + 1, id, 0, 99, 10 + prng.Next(3), "") with
        {
            Sandbox = NamespaceName.Ingress,
            Interface = IngressSandbox.Interface,
            Ipv6 = prng.Chance(0.5) ? null : IPAddress.Parse("fd00:63::9"),
        });
        for (int i = prng.Next(6); i > 0; i--)
        {
            remotes.Add(Remote(id, 0, 99, 15 + prng.Next(10), 1 + prng.Next(4)));
        }
    }

    private static MeshPort MeshPort(string service, Prng prng) => new()
    {
        Service = service,
        Protocol = (PortProtocol)(1 + prng.Next(3)),
        Published = 1 + prng.Next(65535),
        Target = 1 + prng.Next(65535),
        Scheduler = (Scheduler)prng.Next(4),
        Flows = Flows(prng),
        TranslatesSource = prng.Chance(0.3),
        Backends = [.. Enumerable.Range(0, prng.Next(4)).Select(box => new PortBackend(new($"/run/netns/box{box}"), 1 + prng.Next(3)))],
        Elsewhere = MeshNodes(prng),
    };

    /// <summary>Mostly nothing that the kernel would not do by itself.</summary>
    public static FlowPolicy Flows(Prng prng) => new(Time(prng), Time(prng), Time(prng), Time(prng));

    private static TimeSpan Time(Prng prng) => prng.Chance(0.7) ? TimeSpan.Zero : TimeSpan.FromSeconds(1 + prng.Next(prng.Chance(0.5) ? 100 : 86_400));

    private static ImmutableArray<MeshNode> MeshNodes(Prng prng) =>
        [.. Enumerable.Range(0, prng.Next(3)).Select(_ => MeshNode(15 + prng.Next(10), 1 + prng.Next(3), prng.Chance(0.5)))];

    private static MeshNode MeshNode(int host, int weight, bool ipv6) => new(
        IPAddress.Parse($"10.0.99.{host}"), weight, ipv6 ? IPAddress.Parse($"fd00:63::{host:x}") : null);

    public static HostPort Port(string service, Prng prng) => new()
    {
        IsMesh = prng.Chance(0.3),
        Nodes = MeshNodes(prng),
        Service = service,
        Protocol = (PortProtocol)(1 + prng.Next(3)),
        Published = 1 + prng.Next(65535),
        Target = 1 + prng.Next(65535),
        Address = prng.Chance(0.7) ? null : IPAddress.Parse(prng.Chance(0.5) ? $"192.0.2.{prng.Next(3)}" : $"2001:db8::{1 + prng.Next(3)}"),
        Families = (IpFamilies)(1 + prng.Next(3)),
        Interface = prng.Chance(0.7) ? "" : $"eth{prng.Next(2)}",
        Scheduler = (Scheduler)prng.Next(4),
        Flows = Flows(prng),
        TranslatesSource = prng.Chance(0.3),
        Backends = [.. Enumerable.Range(0, prng.Next(4)).Select(box => new PortBackend(new($"/run/netns/box{box}"), 1 + prng.Next(3)))],
    };

    /// <summary>The sandboxes of <see cref="Random"/>, with a stranger's things in each.</summary>
    public static ModelKernel Kernel(Prng prng)
    {
        ModelKernel kernel = new();
        kernel.Change(NamespaceName.Host, static _ => Strangers("docker0", LinkKind.Bridge));
        for (int box = 0; box < 5; box++)
        {
            if (prng.Chance(0.9))
            {
                kernel.Change(new($"/run/netns/box{box}"), static _ => Strangers("dock0", LinkKind.Veth));
            }
        }

        return kernel;
    }

    public static NamespaceState Strangers(string name, LinkKind kind) => NamespaceState.Empty with
    {
        Links = NamespaceState.Empty.Links
            .Add("lo", new() { Name = "lo", Kind = LinkKind.Loopback, Up = true })
            .Add(name, new() { Name = name, Kind = kind, Up = true, Mtu = 1500 }),
        Addresses = [new(name, IPAddress.Parse("172.17.0.2"), 16), new(name, IPAddress.Parse("fe80::1"), 64)],
    };
}

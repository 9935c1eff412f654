using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Addresses;
using Overlay.Cluster.Intents;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Cluster;

/// <summary>A store with a clock, to which intents are applied as they are accepted.</summary>
internal sealed class World
{
    public const long Quarantine = 60_000;

    private ulong index;
    private ulong lastId = 100;

    public World(params string[] pools)
    {
        BootstrapSpec spec = Spec(pools);
        Do(new Intent(Store.State, "", Now).Bootstrap(spec));
    }

    public Store Store { get; } = new();

    public ClusterState State => Store.State;

    public long Now { get; set; } = 1_000_000;

    public List<Transaction> Log { get; } = [];

    public Intent Intent => new(State, "", Now);

    public static BootstrapSpec Spec(params string[] pools) => new()
    {
        ClusterId = "cluster1",
        CaCertificate = ByteString.CopyFromUtf8("certificate"),
        CaKey = ByteString.CopyFromUtf8("the root's key"),
        WorkerSecret = Bytes(16, 1),
        ManagerSecret = Bytes(16, 2),
        GossipKey = Bytes(32, 3),
        FirstManager = Node(1, NodeRole.Manager),
        DefaultPools = [.. pools],
    };

    public static ByteString Bytes(int count, byte value) => ByteString.CopyFrom([.. Enumerable.Repeat(value, count)]);

    public static string NodeIdOf(ulong number) => new NodeId(number).ToString();

    public static NodeObject Node(ulong number, NodeRole role = NodeRole.Worker) => new()
    {
        Id = NodeIdOf(number),
        Hostname = $"host{number}",
        Role = role,
        GossipAddress = $"192.0.2.{number}:7946",
        DataPathAddress = $"192.0.2.{number}",
        ControlAddress = role == NodeRole.Manager ? $"192.0.2.{number}:2377" : "",
        AgentVersion = "1.0",
    };

    public static HostRoute Route(string destination, string device = "eth0") =>
        new() { Destination = destination, Device = device };

    public NetworkSpec Network(string name, params string[] subnets) =>
        new() { Id = NewNetworkId(), Name = name, Subnets = [.. subnets] };

    public string NewNetworkId() => new NetworkId(++lastId).ToString();

    public ServiceSpec Service(string name, string network, EndpointMode mode = EndpointMode.Dnsrr) =>
        new() { Id = new ServiceId(++lastId).ToString(), Name = name, Network = network, Mode = mode, IngressId = NewNetworkId() };

    public ServiceObject CreateService(string name, string network) => Do(Intent.CreateService(Service(name, network)));

    public T Do<T>(Outcome<Proposal<T>> outcome)
        where T : notnull
    {
        Assert.False(outcome.IsRefused, outcome.Refusal?.ToString());
        Apply(outcome.Value.Transaction);
        return outcome.Value.Result;
    }

    public StoreChange Apply(Transaction transaction)
    {
        Log.Add(transaction);
        return Store.Apply(++index, transaction);
    }

    public NetworkObject Create(NetworkSpec spec) => Do(Intent.CreateNetwork(spec));

    public NetworkObject Create(string name, params string[] subnets) => Create(Network(name, subnets));

    public NodeObject AddNode(ulong number, params HostRoute[] routes)
    {
        NodeObject node = Node(number);
        node.Routes.AddRange(routes);
        return Do(Intent.AddNode(node));
    }

    public LeaseObject[] LeasesOf(NetworkObject network, string? nodeId = null) =>
        [.. State.LeasesOf(network.Id).Where(lease => nodeId is null || lease.NodeId == nodeId)];

    /// <summary>The refusal, after checking that it is fit to be shown.</summary>
    public static Refusal Refused<T>(Outcome<T> outcome, RefusalKind kind, params string[] fragments)
        where T : notnull
    {
        Assert.True(outcome.IsRefused, "should have been refused");
        Refusal refusal = outcome.Refusal!;
        Assert.Equal(kind, refusal.Kind);
        foreach (string sentence in new[] { refusal.What, refusal.Why, refusal.Next })
        {
            Assert.EndsWith(".", sentence, StringComparison.Ordinal);
            Assert.True(sentence.Length is > 5 and < 1000);
            Assert.DoesNotContain(sentence, char.IsControl);
        }

        foreach (string fragment in fragments)
        {
            Assert.Contains(fragment, refusal.ToString(), StringComparison.Ordinal);
        }

        return refusal;
    }

    /// <summary>What must hold of every state: no address and no VNI has two owners.</summary>
    public static void Check(ClusterState state)
    {
        SortedSet<uint> vnis = [];
        List<Prefix> subnets = [];
        foreach (NetworkObject network in state.Networks)
        {
            foreach (Segment segment in network.Segments)
            {
                Assert.True(vnis.Add(segment.Vni), $"VNI {segment.Vni} has two owners");
                subnets.AddRange(new[] { segment.Ipv4, segment.Ipv6 }
                    .Where(range => range is not null).Select(range => Prefix.Parse(range.Subnet)));
            }
        }

        Disjoint(subnets);
        foreach (NetworkObject network in state.Networks)
        {
            List<Prefix> blocks = [.. state.LeasesOf(network.Id).Select(lease => Prefix.Parse(lease.Block))];
            foreach (LeaseObject lease in state.LeasesOf(network.Id))
            {
                Prefix block = Prefix.Parse(lease.Block);
                AddressPlan plan = AddressPlan.Of(network.Segments[(int)lease.Segment], block.IsIpv6)!;
                Assert.True(plan.Range.Contains(block));
                Assert.True(plan.Usable(block) > 0);
                bool owned = lease.ReleasedUnixMs != 0 || state.Node(lease.NodeId) is not null;
                Assert.True(owned, "a held lease has an owner");
            }

            blocks.AddRange(state.ReservationsOf(network.Id).Select(reservation => Address.Parse(reservation.Address))
                .Select(address => Prefix.Around(address, address.IsIpv6 ? 128 : 32)));
            Disjoint(blocks);
        }

        SortedSet<string> virtualAddresses = new(StringComparer.Ordinal);
        SortedSet<string> services = new(StringComparer.OrdinalIgnoreCase);
        foreach (ServiceObject service in state.Services)
        {
            Assert.True(services.Add(service.Name), $"two services are called {service.Name}");
            Assert.NotNull(state.Network(service.NetworkId));
            Assert.Same(service, state.ServiceNamed(service.Name.ToUpperInvariant()));
            CheckVirtual(state, service, virtualAddresses);
        }

        (string, PortProtocol, uint)[] ports = [.. state.Services.SelectMany(static s => s.Ports, static (s, p) => (s.Name, p.Protocol, p.Published))];
        Assert.All(ports, static p => Assert.InRange(p.Item3, 1u, 65535u));
        Assert.Equal(ports.Length, ports.DistinctBy(static p => (p.Item2, p.Item3)).Count());
        bool mesh = state.Services.Any(static s => s.Ports.Any(static p => p.Mode == PublishMode.Ingress));
        Assert.InRange(state.Networks.Count(static n => n.Ingress), mesh ? 1 : 0, 1);

        Assert.Equal(
            virtualAddresses,
            state.Reservations.Where(static r => r.ServiceId.Length > 0 && r.ReleasedUnixMs == 0).Select(static r => r.Id));

        Assert.All(state.Leases, lease => Assert.NotNull(state.Network(lease.NetworkId)));
    }

    /// <summary>One address of each family that its network has, usable, and reserved for it.</summary>
    private static void CheckVirtual(ClusterState state, ServiceObject service, SortedSet<string> all)
    {
        NetworkObject network = state.Network(service.NetworkId)!;
        Address[] addresses = [.. service.VirtualAddresses.Select(Address.Parse)];
        bool[] families = service.EndpointMode != EndpointMode.Vip
            ? []
            : [.. new[] { false, true }.Where(ipv6 => network.Segments.Any(s => AddressPlan.Of(s, ipv6) is not null))];
        Assert.Equal(families, addresses.Select(static a => a.IsIpv6));
        foreach (Address address in addresses)
        {
            Assert.True(all.Add($"{network.Id}/{address}"), $"{address} is given twice");
            Assert.Equal(service.Id, state.Reservation($"{network.Id}/{address}")!.ServiceId);
            AddressPlan plan = network.Segments.Select(s => AddressPlan.Of(s, address.IsIpv6)).OfType<AddressPlan>()
                .Single(p => p.Subnet.Contains(address));
            Assert.False(plan.IsSpecial(address), $"{address} is no endpoint's");
        }
    }

    private static void Disjoint(List<Prefix> prefixes)
    {
        prefixes.Sort();
        for (int i = 1; i < prefixes.Count; i++)
        {
            Assert.False(prefixes[i - 1].Overlaps(prefixes[i]), $"{prefixes[i - 1]} and {prefixes[i]} overlap");
        }
    }
}

using System.Collections.Immutable;
using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Addresses;
using Overlay.Cluster.Intents;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Cluster;

/// <summary>Random sequences of every intent, checked after every step.</summary>
public class ClusterPropertyTests
{
    private const int Steps = 120;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Nothing_has_two_owners_and_every_view_agrees(ulong seed)
    {
        Prng prng = new(seed);
        World world = new("10.0.0.0/22");
        AssignmentView[] views = [.. Enumerable.Range(1, 8).Select(_ => new AssignmentView())];
        SortedDictionary<(string Network, Address Address), long> freedAt = [];
        for (int step = 0; step < Steps; step++)
        {
            world.Now += prng.Next(15_000);
            ClusterState before = world.State;
            Step(world, prng);
            World.Check(world.State);
            Quarantine(before, world, freedAt);
            Follow(world, views, prng);
        }

        Assert.True(world.Log.Count > Steps / 3, "the steps do something");
        Replay(world, prng);
    }

    private static void Step(World world, Prng prng)
    {
        ulong number = (ulong)prng.Next(8) + 1;
        string nodeId = World.NodeIdOf(number);
        NetworkObject[] networks = [.. world.State.Networks];
        NetworkObject? network = networks.Length == 0 ? null : networks[prng.Next(networks.Length)];
        Intent intent = world.Intent;
        switch (prng.Next(13))
        {
            case 0 or 1:
                Try(world, intent.AddNode(World.Node(number)));
                break;
            case 2:
                Try(world, intent.RemoveNode(nodeId, force: prng.Chance(0.5)));
                break;
            case 3 or 4:
                string[] subnets = prng.Chance(0.5) ? [] : [$"10.{prng.Next(3)}.{prng.Next(4)}.0/{26 + prng.Next(4)}"];
                NetworkSpec spec = world.Network($"n{prng.Next(12)}", subnets) with
                {
                    Vni = prng.Chance(0.2) ? 4096u + (uint)prng.Next(8) : 0,
                    Ipv6 = prng.Chance(0.3),
                };
                Try(world, intent.CreateNetwork(spec));
                break;
            case 5 when prng.Chance(0.4):
                Try(world, intent.RemoveNetwork(prng.Chance(0.2) ? "ingress" : $"n{prng.Next(12)}"));
                break;
            case 6 when network is not null:
                Try(world, intent.LeaseBlock(network.Id, 0, prng.Chance(0.2), nodeId));
                break;
            case 7 or 8 when network is not null:
                AddressOf(world, network, nodeId, prng);
                break;
            case 10 when network is not null:
                Prefix home = Prefix.Parse(network.Segments[0].Ipv4.Subnet);
                bool dnsrr = prng.Chance(0.2);
                Try(world, intent.CreateService(world.Service(
                    $"s{prng.Next(6)}", network.Id, dnsrr ? EndpointMode.Dnsrr : EndpointMode.Vip) with
                {
                    VirtualAddresses = dnsrr || prng.Chance(0.5)
                        ? []
                        : [new Address(false, home.First.Value + (uint)prng.Next((int)home.Count)).ToString()],
                    Ports = Ports(prng),
                }));
                break;
            case 12:
                Try(world, intent.EditService($"s{prng.Next(6)}", new()
                {
                    PortsAdded = Ports(prng),
                    IngressId = world.NewNetworkId(),
                    PortsRemoved = prng.Chance(0.5) ? [((uint)(1 + prng.Next(3)), PortProtocol.Unspecified)] : [],
                    Scheduler = prng.Chance(0.2) ? "rr" : "",
                    SourceIp = prng.Chance(0.2) ? "snat" : "",
                }));
                break;
            case 11:
                Try(world, intent.RemoveService($"S{prng.Next(6)}"));
                break;
            default:
                world.Apply(intent.SweepQuarantine());
                break;
        }
    }

    private static ImmutableArray<PublishedPort> Ports(Prng prng) =>
    [
        .. Enumerable.Range(0, prng.Next(3)).Select(_ => new PublishedPort
        {
            Mode = prng.Chance(0.5) ? PublishMode.Host : PublishMode.Ingress,
            Protocol = (PortProtocol)(1 + prng.Next(3)),
            Published = prng.Chance(0.5) ? 0 : (uint)(30000 + prng.Next(4)),
            Target = (uint)(1 + prng.Next(3)),
        }),
    ];

    private static void AddressOf(World world, NetworkObject network, string nodeId, Prng prng)
    {
        Prefix subnet = Prefix.Parse(network.Segments[0].Ipv4.Subnet);
        Address address = new(false, subnet.First.Value + (uint)prng.Next((int)subnet.Count));
        ReservationObject[] present = [.. world.State.ReservationsOf(network.Id)];
        if (present.Length > 0 && prng.Chance(0.4))
        {
            ReservationObject one = present[prng.Next(present.Length)];
            Try(world, world.Intent.ReleaseAddress(network.Id, one.Address, one.NodeId));
            return;
        }

        string endpoint = new EndpointId(prng.NextUInt64() | 1).ToString();
        Try(world, world.Intent.ReserveAddress(network.Id, address.ToString(), nodeId, endpoint));
    }

    private static void Try<T>(World world, Outcome<Proposal<T>> outcome)
        where T : notnull
    {
        if (outcome.TryGet(out Proposal<T>? proposal, out _))
        {
            world.Apply(proposal.Transaction);
        }
    }

    /// <summary>No address goes from one node to another in less time than the quarantine.</summary>
    private static void Quarantine(
        ClusterState before, World world, SortedDictionary<(string Network, Address Address), long> freedAt)
    {
        foreach (LeaseObject lease in world.State.Leases)
        {
            LeaseObject? old = before.Lease(lease.Id);
            Assert.True(old is null || old.ReleasedUnixMs == 0 || lease.ReleasedUnixMs == old.ReleasedUnixMs);
            if (old is null)
            {
                Assert.DoesNotContain(
                    freedAt,
                    pair => pair.Key.Network == lease.NetworkId && world.Now - pair.Value < World.Quarantine
                        && Prefix.Parse(lease.Block).Contains(pair.Key.Address));
            }

            if (lease.ReleasedUnixMs != 0 && old?.ReleasedUnixMs == 0)
            {
                freedAt[(lease.NetworkId, Prefix.Parse(lease.Block).First)] = world.Now;
                freedAt[(lease.NetworkId, Prefix.Parse(lease.Block).Last)] = world.Now;
            }
        }

        foreach (ReservationObject reservation in world.State.Reservations)
        {
            ReservationObject? old = before.Reservation(reservation.Id);
            Assert.True(old is null || (old.NodeId == reservation.NodeId && old.ServiceId == reservation.ServiceId));
            if (old is null)
            {
                Assert.DoesNotContain(
                    freedAt,
                    pair => pair.Key == (reservation.NetworkId, Address.Parse(reservation.Address))
                        && world.Now - pair.Value < World.Quarantine);
            }

            if (reservation.ReleasedUnixMs != 0 && old?.ReleasedUnixMs == 0)
            {
                freedAt[(reservation.NetworkId, Address.Parse(reservation.Address))] = world.Now;
            }
        }
    }

    /// <summary>A view that was fed changes equals one that was told everything.</summary>
    private static void Follow(World world, AssignmentView[] views, Prng prng)
    {
        for (int i = 0; i < views.Length; i++)
        {
            if (prng.Chance(0.4))
            {
                NodeId node = new((ulong)i + 1);
                Assignment change = AssignmentBuilder.For(world.Store, node, views[i].Version);
                if (change.Version > views[i].Version)
                {
                    views[i].Apply(Assignment.Parser.ParseFrom(change.ToByteArray()));
                }

                AssignmentView whole = new();
                whole.Apply(AssignmentBuilder.For(world.Store, node, 0));
                Assert.Equal(whole.Export(), views[i].Export());
            }
        }
    }

    /// <summary>The same transactions give the same bytes, from the start and from a snapshot in the middle.</summary>
    private static void Replay(World world, Prng prng)
    {
        byte[] expected = world.Store.Snapshot().ToByteArray();
        int cut = prng.Next(world.Log.Count);
        Store replica = new();
        for (int i = 0; i < world.Log.Count; i++)
        {
            if (i == cut)
            {
                replica = Store.FromSnapshot(StoreSnapshot.Parser.ParseFrom(replica.Snapshot().ToByteArray()));
            }

            replica.Apply((ulong)i + 1, Transaction.Parser.ParseFrom(world.Log[i].ToByteArray()));
        }

        Assert.Equal(expected, replica.Snapshot().ToByteArray());
    }
}

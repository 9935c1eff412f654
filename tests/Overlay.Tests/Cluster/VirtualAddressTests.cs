using Overlay.Cluster;
using Overlay.Cluster.Addresses;
using Overlay.Primitives;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>Virtual addresses of services: which are given, to whom they are refused, and that they rest.</summary>
public sealed class VirtualAddressTests
{
    private readonly World world = new();
    private readonly NetworkObject blue;

    public VirtualAddressTests() => blue = world.Create("blue", "10.1.0.0/24", "fd01::/64");

    [Fact]
    public void A_service_gets_one_of_each_family_just_below_the_blocks_of_nodes()
    {
        ServiceObject web = Create("web");
        Assert.Equal(["10.1.0.127", "fd01::ffff"], web.VirtualAddresses);
        Assert.Equal(Scheduler.Wrr, web.Scheduler);
        Assert.Equal(["10.1.0.126", "fd01::fffe"], Create("api").VirtualAddresses);
        Check(world.State);
    }

    [Fact]
    public void Only_families_that_the_network_has()
    {
        world.Create("four", "10.2.0.0/24");
        world.Create("six", "fd02::/64");
        Assert.Equal(["10.2.0.127"], Create("a", "four").VirtualAddresses);
        Assert.Equal(["fd02::ffff"], Create("b", "six").VirtualAddresses);
        Check(world.State);
    }

    [Fact]
    public void One_of_its_own_is_given_and_the_other_family_chosen()
    {
        Assert.Equal(["10.1.0.9", "fd01::ffff"], Create("a", "blue", "10.1.0.9").VirtualAddresses);
        Assert.Equal(["10.1.0.127", "fd01::9"], Create("b", "blue", "fd01::9").VirtualAddresses);
        Assert.Equal(["10.1.0.10", "fd01::10"], Create("c", "blue", "fd01::10", "10.1.0.10").VirtualAddresses);
        Check(world.State);
    }

    [Fact]
    public void In_a_range_of_its_own_from_the_top_until_nothing_is_left()
    {
        NetworkObject small = world.Create(world.Network("small", "10.3.0.0/24") with { Ranges = ["10.3.0.240/28"] });
        foreach (LeaseObject lease in world.LeasesOf(small))
        {
            Assert.DoesNotContain("10.3.0.254", lease.Block, StringComparison.Ordinal);
        }

        Assert.Equal(["10.3.0.254"], Create("s0", "small").VirtualAddresses);
        int made = 1;
        while (world.Intent.CreateService(Spec($"s{made}", "small")) is { IsRefused: false } next)
        {
            world.Do(next);
            made++;
        }

        Assert.InRange(made, 4, 15);
        Refused(
            world.Intent.CreateService(Spec("more", "small")), RefusalKind.Exhausted, "Service 'more' was not created",
            "no free address in 10.3.0.240/28", "overlayd network create");
        Check(world.State);
    }

    [Fact]
    public void Low_addresses_come_when_no_others_are_left_but_never_one_that_no_host_may_have()
    {
        world.Create("tiny", "10.4.0.0/29");
        List<string> given = [];
        while (world.Intent.CreateService(Spec($"t{given.Count}", "tiny")) is { IsRefused: false } next)
        {
            given.AddRange(world.Do(next).VirtualAddresses);
        }

        Assert.Equal(given.Distinct(), given);
        Assert.DoesNotContain("10.4.0.0", given);
        Assert.DoesNotContain("10.4.0.1", given);
        Assert.DoesNotContain("10.4.0.7", given);
        Assert.Equal(["10.4.0.3", "10.4.0.2"], given.Take(2));
        Check(world.State);
    }

    [Fact]
    public void The_same_state_gives_the_same_addresses()
    {
        ServiceObject first = world.Intent.CreateService(Spec("web", "blue")).Value.Result;
        Assert.Equal(first.VirtualAddresses, world.Intent.CreateService(Spec("web", "blue")).Value.Result.VirtualAddresses);
    }

    [Fact]
    public void No_block_and_no_endpoint_gets_one_and_it_rests_when_its_service_goes()
    {
        world.AddNode(2);
        Create("web", "blue", "10.1.0.9");
        Assert.All(world.LeasesOf(blue), l => Assert.False(Prefix.Parse(l.Block).Contains(Address.Parse("10.1.0.9"))));
        RefusedToEndpoint("virtual address of service web", "overlayd service ls");
        Refused(
            world.Intent.CreateService(Spec("api", "blue", "10.1.0.9")), RefusalKind.Conflict, "virtual address of service web");

        world.Do(world.Intent.RemoveService("web"));
        Check(world.State);
        RefusedToEndpoint("10.1.0.9 was the virtual address of a service that was removed", "rests for 60 s");
        Refused(world.Intent.CreateService(Spec("api", "blue", "10.1.0.9")), RefusalKind.Conflict, "rests for 60 s");
        Assert.Equal(["10.1.0.127", "fd01::fffe"], Create("api").VirtualAddresses);
        world.Now += Quarantine;
        world.Apply(world.Intent.SweepQuarantine());
        Assert.Equal(["10.1.0.9", "fd01::ffff"], Create("again", "blue", "10.1.0.9").VirtualAddresses);
        Check(world.State);

        void RefusedToEndpoint(params string[] words) => Refused(
            world.Intent.ReserveAddress(blue.Id, "10.1.0.9", NodeIdOf(2), new EndpointId(7).ToString()), RefusalKind.Conflict, words);
    }

    [Fact]
    public void Of_a_service_that_an_older_manager_removed_they_rest_after_the_next_sweep()
    {
        ServiceObject web = Create("web");
        world.Apply(new() { Actions = { new StoreAction { Delete = new() { Kind = ObjectKind.Service, Id = web.Id } } } });
        world.Apply(world.Intent.SweepQuarantine());
        Assert.All(world.State.Reservations, r => Assert.Equal(world.Now, r.ReleasedUnixMs));
        world.Now += Quarantine;
        world.Apply(world.Intent.SweepQuarantine());
        Assert.Empty(world.State.Reservations);
    }

    [Fact]
    public void A_service_of_before_has_none_and_goes_as_it_came()
    {
        ServiceObject old = new() { Id = new ServiceId(77).ToString(), Name = "old", NetworkId = blue.Id, EndpointMode = EndpointMode.Vip };
        world.Apply(new() { Actions = { new StoreAction { Create = new() { Service = old } } } });
        AssignmentView view = new();
        view.Apply(AssignmentBuilder.For(world.Store, new(1), 0));
        Assert.Equal("old", Assert.Single(view.Services).Name);
        world.Do(world.Intent.RemoveService("old"));
        Assert.Empty(world.State.Reservations);
    }

    [Fact]
    public void A_network_goes_with_addresses_that_rest_and_not_while_it_has_the_service()
    {
        Create("web");
        Refused(world.Intent.RemoveNetwork("blue"), RefusalKind.Conflict, "the service web");
        world.Do(world.Intent.RemoveService("web"));
        world.Do(world.Intent.RemoveNetwork("blue"));
        Assert.Empty(world.State.Reservations);
    }

    [Theory]
    [InlineData("10.1.1.9", RefusalKind.Invalid, "outside the subnet of network 'blue', 10.1.0.0/24")]
    [InlineData("10.1.0.1", RefusalKind.Invalid, "the gateway of 10.1.0.0/24")]
    [InlineData("10.1.0.0", RefusalKind.Invalid, "network's own address")]
    [InlineData("10.1.0.255", RefusalKind.Invalid, "broadcast address")]
    [InlineData("fd01::", RefusalKind.Invalid, "network's own address")]
    [InlineData("10.1.0.128", RefusalKind.Conflict, "the block 10.1.0.128/28 that node host1 has leased")]
    [InlineData("10.1.0.7", RefusalKind.Conflict, "Endpoint 0000000000001 on node host1 has 10.1.0.7")]
    [InlineData("10.1.0", RefusalKind.Invalid, "'10.1.0' is not an address. Give it as `--vip")]
    [InlineData("::ffff:10.1.0.9", RefusalKind.Invalid, "is not an address")]
    [InlineData("", RefusalKind.Invalid, "is not an address")]
    public void What_cannot_be_one(string address, RefusalKind kind, string why)
    {
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.1.0.7", NodeIdOf(1), new EndpointId(1).ToString()));
        Refused(world.Intent.CreateService(Spec("web", "blue", address)), kind, "Service 'web' was not created", why);
        Assert.Empty(world.State.Services);
    }

    [Theory]
    [InlineData("10.1.0.9", "10.1.0.10", "IPv4")]
    [InlineData("fd01::9", "fd01::10", "IPv6")]
    public void Two_of_a_family(string first, string second, string family) => Refused(
        world.Intent.CreateService(Spec("web", "blue", first, second)), RefusalKind.Invalid, $"More than one virtual {family} address", "--vip");

    [Fact]
    public void One_that_rests_after_an_endpoint()
    {
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.1.0.7", NodeIdOf(1), new EndpointId(1).ToString()));
        world.Do(world.Intent.ReleaseAddress(blue.Id, "10.1.0.7", NodeIdOf(1)));
        Refused(
            world.Intent.CreateService(Spec("web", "blue", "10.1.0.7")), RefusalKind.Conflict, "released by node host1 and rests for 60 s");
    }

    [Fact]
    public void Only_its_service_gives_it_up()
    {
        world.AddNode(2);
        Create("web", "blue", "10.1.0.9");
        foreach (string node in new[] { NodeIdOf(2), "" })
        {
            Refused(
                world.Intent.ReleaseAddress(blue.Id, "10.1.0.9", node), RefusalKind.NotPermitted, "virtual address of a service",
                "overlayd service rm");
        }

        world.Do(world.Intent.RemoveNode(NodeIdOf(2), force: true));
        Check(world.State);
    }

    [Fact]
    public void Names_have_neither_address_nor_scheduler()
    {
        ServiceObject names = world.CreateService("names", "blue");
        Assert.Empty(names.VirtualAddresses);
        Assert.Equal(Scheduler.Unspecified, names.Scheduler);
        Refused(
            world.Intent.CreateService(world.Service("web", "blue") with { VirtualAddresses = ["10.1.0.9"] }), RefusalKind.Invalid,
            "dnsrr it has no virtual address", "`--vip`");
        Refused(
            world.Intent.CreateService(world.Service("web", "blue") with { Scheduler = "rr" }), RefusalKind.Invalid, "dnsrr", "`--scheduler`");
    }

    [Theory]
    [InlineData("", Scheduler.Wrr)]
    [InlineData("wrr", Scheduler.Wrr)]
    [InlineData("rr", Scheduler.Rr)]
    [InlineData("sh", Scheduler.Sh)]
    [InlineData("lc", Scheduler.Lc)]
    [InlineData("wlc", Scheduler.Wlc)]
    [InlineData("mh", Scheduler.Mh)]
    public void Schedulers_that_are_there(string text, Scheduler scheduler) => Assert.Equal(
        scheduler, world.Do(world.Intent.CreateService(Spec("web", "blue") with { Scheduler = text })).Scheduler);

    [Theory]
    [InlineData("RR", "no scheduler 'RR'")]
    [InlineData("best\n", "no scheduler 'best?'")]
    public void Schedulers_that_are_not(string text, string why) => Refused(
        world.Intent.CreateService(Spec("web", "blue") with { Scheduler = text }), RefusalKind.Invalid, why, "`--scheduler rr`, `wrr`, `sh`, `lc`");

    private Overlay.Cluster.Intents.ServiceSpec Spec(string name, string network, params string[] addresses) =>
        world.Service(name, network, EndpointMode.Vip) with { VirtualAddresses = [.. addresses] };

    private ServiceObject Create(string name, string network = "blue", params string[] addresses) =>
        world.Do(world.Intent.CreateService(Spec(name, network, addresses)));
}

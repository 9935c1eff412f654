using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>Services in the store: what is accepted, each refusal, and who is told.</summary>
public sealed class ServiceIntentTests
{
    private readonly World world = new();
    private readonly NetworkObject blue;

    public ServiceIntentTests() => blue = world.Create("blue");

    [Fact]
    public void Everything_asked_for_is_kept()
    {
        ServiceObject made = world.Do(world.Intent.CreateService(world.Service("web", "blue") with { Labels = [new("b", "2"), new("a", "1")] }));
        ServiceObject kept = world.State.Service(made.Id)!;
        Assert.Equal(("web", blue.Id, EndpointMode.Dnsrr, world.Now), (kept.Name, kept.NetworkId, kept.EndpointMode, kept.CreatedUnixMs));
        Assert.Equal(["a", "b"], kept.Labels.Keys);
        Assert.Equal(world.Store.Version, kept.Version);
        Check(world.State);
    }

    [Theory]
    [InlineData("web")]
    [InlineData("WEB")]
    [InlineData("1")]
    [InlineData("a-b_c")]
    [InlineData("sixty-three-characters-are-what-a-label-of-dns-can-have-exactly")]
    public void It_is_found_by_id_by_name_in_any_case_and_by_the_beginning_of_its_id(string name)
    {
        world.CreateService("other", "blue");
        ServiceObject made = world.Do(world.Intent.CreateService(
            world.Service(name, blue.Id) with { Id = new ServiceId(0x7000_0000_0000_0000).ToString() }));
        foreach (string text in new[] { made.Id, name, name.ToLowerInvariant(), name.ToUpperInvariant(), made.Id[..4] })
        {
            Assert.Same(world.State.Service(made.Id), world.State.FindService(text).Value);
        }

        Refused(world.State.FindService(""), RefusalKind.Invalid, "overlayd service ls");
    }

    [Theory]
    [InlineData("")]
    [InlineData("-web")]
    [InlineData("_web")]
    [InlineData("web-")]
    [InlineData("tasks.web")]
    [InlineData("we b")]
    [InlineData("wéb")]
    [InlineData("we\nb")]
    [InlineData("sixty-four-characters-are-more-than-what-a-label-of-dns-can-have")]
    public void A_name_that_is_no_label(string name) => Refused(
        world.Intent.CreateService(world.Service(name, "blue")), RefusalKind.Invalid, "DNS label", "63", "overlayd service create");

    [Theory]
    [InlineData("web")]
    [InlineData("Web")]
    public void A_name_is_given_once_in_the_cluster_whatever_its_case(string name)
    {
        world.CreateService("web", "blue");
        world.Create("green");
        Refused(
            world.Intent.CreateService(world.Service(name, "green")), RefusalKind.Conflict, "'" + name + "'",
            "on network blue", "overlayd service rm web");
        world.Do(world.Intent.RemoveService("WEB"));
        Assert.Equal(name, world.CreateService(name, "green").Name);
    }

    [Fact]
    public void A_network_that_does_not_exist() =>
        Refused(world.Intent.CreateService(world.Service("web", "grey")), RefusalKind.NotFound, "'grey'", "overlayd network ls");

    [Fact]
    public void A_mode_that_nobody_knows() => Refused(
        world.Intent.CreateService(world.Service("web", "blue", EndpointMode.Unspecified)), RefusalKind.Invalid, "--endpoint-mode");

    [Fact]
    public void Labels_that_are_none() => Refused(
        world.Intent.CreateService(world.Service("web", "blue") with { Labels = [new("a", "1"), new("a", "2")] }),
        RefusalKind.Invalid, "'a'", "--label");

    [Fact]
    public void More_than_the_cluster_can_have()
    {
        Transaction many = new();
        for (int i = 0; i < Limits.Services; i++)
        {
            string id = new ServiceId(1_000_000 + (ulong)i).ToString();
            many.Actions.Add(new StoreAction { Create = new() { Service = new() { Id = id, Name = $"s{i}", NetworkId = blue.Id } } });
        }

        world.Apply(many);
        Refused(world.Intent.CreateService(world.Service("web", "blue")), RefusalKind.Exhausted, "10000 services", "overlayd service rm");
        world.Do(world.Intent.RemoveService("s77"));
        world.CreateService("web", "blue");
        Assert.Equal(Limits.Services, world.State.ServiceCount);
    }

    [Fact]
    public void What_is_removed_must_be_there()
    {
        Refused(world.Intent.RemoveService("web"), RefusalKind.NotFound, "no service 'web'", "overlayd service ls");
        Refused(world.Intent.RemoveService(""), RefusalKind.Invalid, "No service was named");
        world.CreateService("web", "blue");
        world.Do(world.Intent.RemoveService("web"));
        Assert.Empty(world.State.Services);
        Assert.Null(world.State.ServiceNamed("web"));
        Refused(world.Intent.RemoveService("web"), RefusalKind.NotFound, "'web'");
    }

    [Fact]
    public void A_network_with_services_is_not_removed_and_they_are_named()
    {
        world.Create("green");
        world.CreateService("web", "blue");
        Refused(world.Intent.RemoveNetwork("blue"), RefusalKind.Conflict, "Network blue", "the service web", "`overlayd service rm web` first");
        world.CreateService("api", "blue");
        Refused(world.Intent.RemoveNetwork("blue"), RefusalKind.Conflict, "2 services: api, web", "`overlayd service rm api web`");
        for (int i = 0; i < Limits.NamesInRefusal; i++)
        {
            world.CreateService($"s{i}", "blue");
        }

        Refused(world.Intent.RemoveNetwork("blue"), RefusalKind.Conflict, "10 services", "…", "overlayd service ls --filter network=blue");
        world.Do(world.Intent.RemoveNetwork("green"));
        foreach (ServiceObject service in world.State.Services.ToArray())
        {
            world.Do(world.Intent.RemoveService(service.Id));
        }

        world.Do(world.Intent.RemoveNetwork("blue"));
        Assert.Null(world.State.NetworkNamed("blue"));
    }

    [Fact]
    public void A_renamed_one_is_found_by_its_new_name_alone()
    {
        ServiceObject renamed = world.CreateService("web", "blue").Clone();
        renamed.Name = "www";
        world.Apply(new() { Actions = { new StoreAction { Update = new() { Service = renamed } } } });
        Assert.Null(world.State.ServiceNamed("web"));
        Assert.Equal(renamed.Id, world.State.ServiceNamed("www")!.Id);
        AssignmentView view = new();
        view.Learn(new() { Service = Named(renamed, "web", 1) });
        view.Learn(new() { Service = Named(renamed, "www", 2) });
        Assert.Null(view.ServiceNamed("web"));
        Assert.Equal(renamed.Id, view.ServiceNamed("WWW")!.Id);

        static ServiceObject Named(ServiceObject service, string name, ulong version)
        {
            ServiceObject copy = service.Clone();
            copy.Name = name;
            copy.Version = version;
            return copy;
        }
    }

    [Fact]
    public void A_snapshot_has_them_and_one_of_before_opens()
    {
        byte[] before = world.Store.Snapshot().ToByteArray();
        world.CreateService("web", "blue");
        StoreSnapshot taken = StoreSnapshot.Parser.ParseFrom(world.Store.Snapshot().ToByteArray());
        Store restored = Store.FromSnapshot(taken);
        Assert.Equal(world.State.ServiceNamed("web"), restored.State.ServiceNamed("web"));
        Assert.Equal(taken, restored.Snapshot());
        Assert.Equal(taken.Objects.Count, restored.State.ObjectCount);
        Assert.Empty(Store.FromSnapshot(StoreSnapshot.Parser.ParseFrom(before)).State.Services);
    }

    [Fact]
    public void Every_node_is_told_of_every_service_and_of_its_end()
    {
        world.AddNode(2);
        AssignmentView view = new();
        view.Apply(AssignmentBuilder.For(world.Store, new(2), 0));
        ServiceObject made = world.CreateService("web", "blue");
        Assignment news = AssignmentBuilder.For(world.Store, new(2), view.Version);
        Assert.Equal([StoreObject.KindOneofCase.Service], news.Upserts.Select(static u => u.KindCase));
        Assert.True(view.Apply(news));
        Assert.Equal(world.State.Service(made.Id), view.ServiceNamed("Web"));
        AssignmentView again = new();
        Assert.True(again.Apply(Assignment.Parser.ParseFrom(view.Export().ToByteArray())));
        Assert.Equal(made.Id, Assert.Single(again.Services).Id);
        AssignmentView whole = new();
        whole.Apply(AssignmentBuilder.For(world.Store, new(2), 0));
        Assert.Single(whole.Services);

        world.Do(world.Intent.RemoveService("web"));
        view.Apply(AssignmentBuilder.For(world.Store, new(2), view.Version));
        Assert.Empty(view.Services);
        Assert.Null(view.ServiceNamed("web"));
        again.Apply(AssignmentBuilder.For(world.Store, new(2), 0));
        Assert.Empty(again.Services);
    }

    [Theory]
    [InlineData("x", "errg4kpgx7mn9", "web")]
    [InlineData("errg4kpgx7mn9", "x", "web")]
    [InlineData("errg4kpgx7mn9", "errg4kpgx7mn9", "we b")]
    public void A_node_leaves_out_what_it_cannot_use(string id, string network, string name)
    {
        AssignmentView view = new();
        Assert.True(view.Apply(new()
        {
            Version = 3,
            Complete = true,
            Upserts = { new StoreObject { Service = new() { Id = id, NetworkId = network, Name = name } }, new StoreObject() },
        }));
        Assert.Empty(view.Services);
    }
}

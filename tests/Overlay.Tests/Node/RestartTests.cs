using System.Net;
using Overlay.Cluster;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Tests.Node;

/// <summary>What an agent takes along over its own end.</summary>
public sealed class RestartTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24", "fd00::/64");

    [Fact]
    public void Everything_about_an_endpoint_survives()
    {
        EndpointState before = rig.Granted(rig.Attach(rig.Command("web") with
        {
            Aliases = ["www", "app"],
            Interface = "lan0",
            Ipv4 = IPAddress.Parse("10.0.0.250"),
        }));
        Assert.True(before.Reserved4 && !before.Reserved6);
        rig.KernelAnswers = false;
        rig.Boot();
        EndpointState after = Assert.Single(rig.Endpoints);
        Assert.Equal(["www", "app"], after.Aliases);
        Assert.Equal(before with { Aliases = [], Status = EndpointStatus.Pending }, after with { Aliases = [] });
        rig.Program();
        Assert.Equal(EndpointStatus.Ready, Assert.Single(rig.Endpoints).Status);
    }

    [Fact]
    public void Without_a_manager_the_node_goes_on_as_before()
    {
        rig.Attached("web");
        string inputs = Text();
        rig.ManagerAnswers = false;
        rig.Boot();
        Assert.Equal(inputs, Text());
        Assert.Equal("blue", Assert.Single(rig.Mind.Intent.Networks).Name);
        Assert.Single(rig.Mind.SandboxZones());
        Assert.Single(rig.Mind.Gossip.Entries(rig.Blue.Id));
        rig.Attached("more");

        string Text() => string.Join(' ', rig.Mind.Inputs().Endpoints.Select(static e => e.ToString()));
    }

    [Fact]
    public void An_attach_that_never_reached_the_disk_never_was()
    {
        rig.DiskAnswers = false;
        rig.Attach(rig.Command("web"));
        rig.DiskAnswers = true;
        rig.Boot();
        Assert.Empty(rig.Endpoints);
        Assert.Empty(rig.Mind.Inputs().Endpoints);
        rig.Attached("web");
    }

    [Fact]
    public void A_detach_that_never_reached_the_disk_never_was()
    {
        EndpointState endpoint = rig.Attached("web");
        rig.DiskAnswers = false;
        rig.Detach("web");
        rig.DiskAnswers = true;
        rig.Boot();
        Assert.Equal(endpoint.Id, Assert.Single(rig.Endpoints).Id);
        Assert.NotEqual(endpoint.Ipv4, rig.Attached("other").Ipv4);
    }

    [Fact]
    public void Addresses_that_rest_go_on_resting()
    {
        EndpointState endpoint = rig.Attached("web");
        rig.Detached(endpoint);
        rig.Boot();
        Assert.Contains(rig.Mind.Addresses.Resting, r => r.Address.Equals(endpoint.Ipv4));
        Assert.DoesNotContain(Enumerable.Range(0, 12).Select(i => rig.Attached($"box{i}").Ipv4), a => a!.Equals(endpoint.Ipv4));
    }

    [Fact]
    public void An_address_in_use_is_not_given_again()
    {
        EndpointState endpoint = rig.Attached("web");
        rig.Boot();
        rig.Refused(rig.Command("box") with { Ipv4 = endpoint.Ipv4 }, RefusalKind.Conflict);
    }

    [Fact]
    public void No_MAC_is_made_twice_even_if_the_last_writes_were_lost()
    {
        SortedSet<MacAddress> seen = [];
        for (int life = 0; life < 5; life++)
        {
            for (int i = 0; i < 5; i++)
            {
                EndpointState endpoint = rig.Attached($"box{i}");
                Assert.True(seen.Add(endpoint.Mac), "a MAC was made twice");
                Assert.False(endpoint.Mac.IsMulticast);
                rig.Detached(endpoint);
            }

            rig.DiskAnswers = false;
            long lost = rig.Attach(rig.Command("lost"));
            Assert.False(rig.IsAnswered(lost));
            Assert.True(seen.Add(Assert.Single(rig.Endpoints).Mac), "a MAC was made twice");
            rig.DiskAnswers = true;
            rig.Boot();
        }
    }

    [Fact]
    public void A_network_removed_while_the_agent_was_away_takes_its_endpoints_along()
    {
        rig.Attached("web");
        rig.World.Do(rig.World.Intent.RemoveNetwork("blue"));
        rig.Boot();
        Assert.Single(rig.Endpoints);
        rig.Assign();
        Assert.Empty(rig.Endpoints);
        Assert.Empty(rig.Disk!.Endpoints);
    }
}

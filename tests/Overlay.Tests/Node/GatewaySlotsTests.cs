using System.Net;
using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Node;

namespace Overlay.Tests.Node;

/// <summary>Places on the gateway bridge: one for a sandbox, in turn, and all are used before none is left.</summary>
public sealed class GatewaySlotsTests
{
    private static readonly IPNetwork Wide = IPNetwork.Parse("172.26.0.0/15");

    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24");

    [Fact]
    public void Who_comes_after_another_gets_another_place()
    {
        SortedSet<int> had = [];
        for (int i = 0; i < GatewayBridge.LastSlot(rig.Mind.Inputs().GatewayPrefix) - 1; i++)
        {
            EndpointState endpoint = rig.Granted(rig.Attach(rig.Command($"web{i}")));
            Assert.True(had.Add(endpoint.GatewaySlot), $"place {endpoint.GatewaySlot} again");
            rig.Detached(endpoint);
        }
    }

    [Fact]
    public void A_sandbox_keeps_its_place()
    {
        EndpointState web = rig.Granted(rig.Attach(rig.Command("web")));
        Assert.Equal(web.GatewaySlot, GatewaySlots.For(web.Sandbox, 77, [web], Wide).Value);
    }

    [Fact]
    public void They_are_given_in_turn()
    {
        IPNetwork narrow = IPNetwork.Parse("172.26.0.0/28");
        int[] given = [.. Enumerable.Range(2, 11).Select(after => GatewaySlots.For(new("/run/netns/box"), (ulong)after, [], narrow).Value)];
        Assert.Equal([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 2], given);
    }

    [Fact]
    public void All_places_are_used_and_then_one_is_refused()
    {
        EndpointState web = rig.Granted(rig.Attach(rig.Command("web")));
        IPNetwork narrow = IPNetwork.Parse("172.26.0.0/28");
        List<EndpointState> endpoints = [];
        for (ulong id = 1; id <= 11; id++)
        {
            int slot = GatewaySlots.For(new($"/run/netns/box{id}"), id * 5, endpoints, narrow).Value;
            Assert.InRange(slot, 2, 12);
            Assert.DoesNotContain(endpoints, e => e.GatewaySlot == slot);
            endpoints.Add(web with { Id = new(id), Sandbox = new($"/run/netns/box{id}"), GatewaySlot = slot });
        }

        Assert.Equal(RefusalKind.Exhausted, GatewaySlots.For(new("/run/netns/late"), ulong.MaxValue, endpoints, narrow).Refusal!.Kind);
    }
}

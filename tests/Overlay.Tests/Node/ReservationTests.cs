using System.Net;
using Overlay.Cluster;
using Overlay.Node;

namespace Overlay.Tests.Node;

/// <summary>
/// Single addresses that a manager reserves: each is either an endpoint's, or on its way back, whatever is lost.
/// </summary>
public sealed class ReservationTests
{
    private const string Address = "10.0.0.250";

    private readonly NodeRig rig = AttachTests.Ready();

    private V1.ReservationObject[] Held => [.. rig.World.State.Reservations.Where(static r => r.ReleasedUnixMs == 0)];

    [Fact]
    public void A_detach_releases_it()
    {
        EndpointState endpoint = rig.Attached("web", Address);
        Assert.Equal(endpoint.Id.ToString(), Assert.Single(Held).EndpointId);
        rig.Detached(endpoint);
        Assert.Empty(Held);
    }

    [Fact]
    public void It_is_not_released_before_the_disk_knows_of_the_detach()
    {
        rig.Attached("web", Address);
        rig.DiskAnswers = false;
        rig.Detach("web");
        Assert.Single(Held);
        Assert.Empty(rig.Asked);
        rig.Write();
        Assert.Empty(Held);
    }

    [Fact]
    public void An_agent_that_dies_before_its_disk_knows_of_the_detach_still_holds_it()
    {
        rig.Attached("web", Address);
        rig.DiskAnswers = false;
        rig.Detach("web");
        rig.DiskAnswers = true;
        rig.Boot();
        rig.Assign();
        EndpointState endpoint = Assert.Single(rig.Endpoints);
        Assert.Equal(endpoint.Id.ToString(), Assert.Single(Held).EndpointId);
    }

    [Fact]
    public void A_release_that_was_lost_with_the_agent_is_made_up_for_after_its_restart()
    {
        rig.Attached("web", Address);
        rig.ManagerAnswers = false;
        rig.Detach("web");
        Assert.IsType<ManagerRequest.Release>(Assert.Single(rig.Asked));
        rig.ManagerAnswers = true;
        rig.Boot();
        Assert.Single(Held);
        rig.Assign();
        Assert.Empty(Held);
    }

    [Fact]
    public void A_reservation_whose_answer_was_lost_with_the_agent_is_released_after_its_restart()
    {
        rig.ManagerAnswers = false;
        rig.Attach(rig.Command("web") with { Ipv4 = IPAddress.Parse(Address) });
        rig.Decide(Assert.Single(rig.Asked));
        Assert.Single(Held);
        rig.ManagerAnswers = true;
        rig.Boot();
        rig.Assign();
        Assert.Empty(Held);
    }

    [Fact]
    public void A_reservation_whose_answer_was_lost_on_the_line_is_released_when_it_is_heard_of()
    {
        rig.ManagerAnswers = false;
        long request = rig.Attach(rig.Command("web") with { Ipv4 = IPAddress.Parse(Address) });
        ManagerRequest asked = Assert.Single(rig.Asked);
        rig.Asked.Clear();
        rig.Decide(asked);
        rig.Unavailable(asked);
        rig.Refused(request, RefusalKind.Unavailable);
        rig.Assign();
        Assert.Equal(Address, Assert.IsType<ManagerRequest.Release>(Assert.Single(rig.Asked)).Address.ToString());
        rig.AnswerAsked();
        Assert.Empty(Held);
    }

    [Fact]
    public void A_grant_that_comes_when_nobody_waits_any_more_is_released()
    {
        rig.ManagerAnswers = false;
        long request = rig.Attach(rig.Command("web") with { Ipv4 = IPAddress.Parse(Address) });
        rig.Sleep(TimeSpan.FromSeconds(6));
        rig.Refused(request, RefusalKind.Unavailable);
        ManagerRequest asked = Assert.Single(rig.Asked);
        rig.Asked.Clear();
        rig.Answer(asked);
        rig.Assign();
        Assert.IsType<ManagerRequest.Release>(Assert.Single(rig.Asked));
        rig.AnswerAsked();
        Assert.Empty(Held);
    }

    [Fact]
    public void News_of_the_reservation_may_come_before_its_answer()
    {
        rig.ManagerAnswers = false;
        long request = rig.Attach(rig.Command("web") with { Ipv4 = IPAddress.Parse(Address) });
        ManagerRequest asked = Assert.Single(rig.Asked);
        (_, V1.ReservationObject? reservation, _) = rig.Decide(asked);
        rig.Assign();
        Assert.Equal([asked], rig.Asked);
        rig.Do((n, now, e) => n.Granted(asked.RequestId, null, reservation, now, e));
        Assert.True(rig.Granted(request).Reserved4);
        Assert.Single(Held);
    }

    [Fact]
    public void One_in_use_is_never_released_by_news_or_restarts()
    {
        rig.Attached("web", Address);
        for (int i = 0; i < 3; i++)
        {
            rig.World.Create($"other{i}", $"10.{50 + i}.0.0/24");
            rig.Assign();
            rig.Boot();
            rig.Assign();
        }

        Assert.Single(Held);
    }

    [Fact]
    public void A_release_is_asked_for_once_while_it_is_not_answered()
    {
        rig.Attached("web", Address);
        rig.ManagerAnswers = false;
        rig.Detach("web");
        rig.World.Create("other", "10.50.0.0/24");
        rig.Assign();
        Assert.Single(rig.Asked);
    }

    [Fact]
    public void A_release_that_comes_late_does_not_release_the_next_endpoint_s_reservation()
    {
        rig.Attached("one", Address);
        rig.ManagerAnswers = false;
        rig.Detach("one");
        ManagerRequest.Release late = Assert.IsType<ManagerRequest.Release>(Assert.Single(rig.Asked));
        rig.Decide(late);
        rig.ManagerAnswers = true;
        EndpointState second = rig.Attached("two", Address);
        rig.Decide(late);
        Assert.Equal(second.Id.ToString(), Assert.Single(Held).EndpointId);
    }

    [Fact]
    public void A_refused_attach_releases_what_was_reserved_for_it()
    {
        rig.KernelRefuses["web"] = ("EPERM", false);
        rig.Refused(rig.Command("web") with { Ipv4 = IPAddress.Parse(Address) }, RefusalKind.Unavailable);
        Assert.Empty(Held);
    }

    [Fact]
    public void Another_node_s_reservation_refuses_the_attach()
    {
        rig.World.Do(rig.World.Intent.ReserveAddress(
            rig.Blue.Id, Address, Cluster.World.NodeIdOf(1), new Primitives.EndpointId(7).ToString()));
        rig.Refused(rig.Command("web") with { Ipv4 = IPAddress.Parse(Address) }, RefusalKind.Conflict, "host1");
        Assert.Equal(Cluster.World.NodeIdOf(1), Assert.Single(Held).NodeId);
    }
}

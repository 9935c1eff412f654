using System.Net;
using Overlay.Cluster;
using Overlay.Gossip;
using Overlay.Node;

namespace Overlay.Tests.Node;

/// <summary>Leases, exhaustion, quarantine: no address is given while its former owner may still be meant by it.</summary>
public sealed class AddressTests
{
    private static readonly TimeSpan Quarantine = TimeSpan.FromMilliseconds(Cluster.World.Quarantine);

    [Fact]
    public void A_lease_is_asked_for_and_the_attach_goes_on_with_it()
    {
        NodeRig rig = WithoutLease();
        long request = rig.Attach(rig.Command("web"));
        ManagerRequest.Lease asked = Assert.IsType<ManagerRequest.Lease>(Assert.Single(rig.Asked));
        Assert.Equal((rig.BlueId, 0, false), (asked.Network, asked.Segment, asked.Ipv6));
        Assert.False(rig.IsAnswered(request));
        rig.AnswerAsked();
        rig.Granted(request);
    }

    [Fact]
    public void Several_attaches_wait_for_one_lease()
    {
        NodeRig rig = WithoutLease();
        long[] requests = [.. Enumerable.Range(0, 5).Select(i => rig.Attach(rig.Command($"box{i}")))];
        Assert.Single(rig.Asked);
        rig.AnswerAsked();
        Assert.Equal(5, requests.Select(r => rig.Granted(r).Ipv4!.ToString()).Distinct().Count());
        Assert.Single(rig.Mind.Intent.Leases);
    }

    [Fact]
    public void News_from_the_manager_does_not_make_a_waiting_attach_ask_again_or_give_up()
    {
        NodeRig rig = WithoutLease();
        long request = rig.Attach(rig.Command("web"));
        ManagerRequest asked = Assert.Single(rig.Asked);
        for (int i = 0; i < 9; i++)
        {
            rig.World.Create($"other{i}", $"10.{i + 50}.0.0/24");
            rig.Assign();
        }

        Assert.Equal([asked], rig.Asked);
        Assert.False(rig.IsAnswered(request));
        rig.AnswerAsked();
        rig.Granted(request);
    }

    [Fact]
    public void An_attach_that_waits_for_a_reservation_asks_for_it_once()
    {
        NodeRig rig = AttachTests.Ready();
        rig.ManagerAnswers = false;
        long request = rig.Attach(rig.Command("web") with { Ipv4 = IPAddress.Parse("10.0.0.250") });
        ManagerRequest asked = Assert.Single(rig.Asked);
        rig.World.Create("other", "10.50.0.0/24");
        rig.Assign();
        Assert.Equal([asked], rig.Asked);
        rig.AnswerAsked();
        Assert.True(rig.Granted(request).Reserved4);
    }

    [Fact]
    public void A_refusal_of_one_lease_does_not_make_the_node_ask_for_another_twice()
    {
        NodeRig rig = WithoutLease("green");
        long blue = rig.Attach(rig.Command("web"));
        long green = rig.Attach(rig.Command("web") with { Network = "green" });
        ManagerRequest[] asked = [.. rig.Asked];
        Assert.Equal(2, asked.Length);
        rig.Unavailable(asked[0]);
        rig.Refused(blue, RefusalKind.Unavailable, "No manager can be asked");
        Assert.False(rig.IsAnswered(green));
        rig.Attach(rig.Command("box") with { Network = "green" });
        Assert.Equal(asked, rig.Asked);
        rig.Attach(rig.Command("box"));
        Assert.Equal(3, rig.Asked.Count);
    }

    [Fact]
    public void Another_lease_is_asked_for_ahead_of_need_once()
    {
        NodeRig rig = AttachTests.Ready();
        rig.World.Create(rig.World.Network("inner", "10.3.0.0/24") with { Internal = true });
        rig.Assign();
        rig.ManagerAnswers = false;
        int attached = 0;
        void Attach() => rig.Granted(rig.Attach(rig.Command($"box{attached++}") with { Network = "inner" }));
        while (rig.Asked.Count == 0)
        {
            Attach();
        }

        Assert.InRange(attached, 4, 30);
        Attach();
        Assert.IsType<ManagerRequest.Lease>(Assert.Single(rig.Asked));
        rig.Unavailable(rig.Asked[0]);
        Attach();
        Assert.Equal(2, rig.Asked.Count);
    }

    [Fact]
    public void Without_addresses_and_without_a_manager_an_attach_is_refused_at_last()
    {
        NodeRig rig = WithoutLease();
        long request = rig.Attach(rig.Command("web"));
        rig.Sleep(TimeSpan.FromSeconds(4));
        Assert.False(rig.IsAnswered(request));
        rig.Sleep(TimeSpan.FromSeconds(2));
        rig.Refused(request, RefusalKind.Unavailable, "no manager answered");
        rig.AnswerAsked();
        Assert.Empty(rig.Endpoints);
    }

    [Fact]
    public void When_the_network_is_full_the_refusal_says_who_holds_it_and_nothing_is_given_twice()
    {
        NodeRig rig = AttachTests.Ready("10.0.0.0/28");
        SortedSet<string> given = new(StringComparer.Ordinal);
        long request;
        for (int i = 0; ; i++)
        {
            request = rig.Attach(rig.Command($"box{i}"));
            if (rig.Answer(request).Endpoint is not { } endpoint)
            {
                break;
            }

            Assert.True(given.Add(endpoint.Ipv4!.ToString()));
        }

        Assert.InRange(given.Count, 6, 13);
        rig.Refused(request, RefusalKind.Exhausted, "no free address in 10.0.0.0/28", "host2 holds");
    }

    [Fact]
    public void An_address_rests_after_a_detach_and_comes_back_when_the_quarantine_is_over()
    {
        NodeRig rig = Full(out EndpointState[] all);
        rig.Detached(all[3]);
        rig.Refused(rig.Command("new"), RefusalKind.Exhausted);
        rig.Sleep(Quarantine - TimeSpan.FromSeconds(1));
        rig.Refused(rig.Command("new"), RefusalKind.Exhausted);
        rig.Sleep(TimeSpan.FromSeconds(1));
        EndpointState reused = rig.Attached("new");
        Assert.Equal(all[3].Ipv4, reused.Ipv4);
        Assert.NotEqual(all[3].Mac, reused.Mac);
    }

    [Fact]
    public void An_address_rests_from_its_release_and_not_from_when_it_was_given()
    {
        NodeRig rig = Full(out EndpointState[] all);
        rig.Sleep(Quarantine * 3);
        EndpointState lost = all[2];
        rig.Do((n, now, e) => n.Programmed(n.DataplaneRevision, [new(lost.Id, "no such namespace", true)], now, e));
        rig.Sleep(TimeSpan.FromMinutes(2) - TimeSpan.FromSeconds(1));
        Assert.Equal(all.Length, rig.Endpoints.Length);
        rig.Sleep(TimeSpan.FromSeconds(2));
        Assert.Equal(all.Length - 1, rig.Endpoints.Length);
        rig.Refused(rig.Command("new"), RefusalKind.Exhausted);
        rig.Sleep(Quarantine - TimeSpan.FromSeconds(3));
        rig.Refused(rig.Command("new"), RefusalKind.Exhausted);
        rig.Sleep(TimeSpan.FromSeconds(3));
        EndpointState reused = rig.Attached("new");
        Assert.Equal(lost.Ipv4, reused.Ipv4);
        Assert.NotEqual(lost.Mac, reused.Mac);
    }

    [Fact]
    public void The_quarantine_is_the_cluster_s()
    {
        NodeRig rig = Full(out EndpointState[] all);
        Assert.Equal(Quarantine, rig.Mind.Addresses.Quarantine);
        rig.Boot();
        Assert.Equal(Quarantine, rig.Mind.Addresses.Quarantine);
        Assert.Equal(all.Length, rig.Endpoints.Length);
    }

    [Fact]
    public void A_refused_attach_gives_back_what_it_had()
    {
        NodeRig rig = new(SwimOptions.Lan with { MaxEntriesPerOwner = 1 });
        rig.Assign();
        rig.Attached("a");
        for (int i = 0; i < 40; i++)
        {
            rig.Refused(rig.Command("b"), RefusalKind.Exhausted, "announces as much");
        }

        Assert.Single(rig.Endpoints);
    }

    /// <summary>A node that has no block ahead of need.</summary>
    private static NodeRig WithoutLease(params string[] moreNetworks)
    {
        NodeRig rig = new() { ManagerAnswers = false };
        V1.NetworkObject[] networks = [rig.Blue, .. moreNetworks.Select((n, i) => rig.World.Create(n, $"10.{i + 1}.0.0/24"))];
        foreach (V1.LeaseObject lease in networks.SelectMany(n => rig.World.LeasesOf(n, Cluster.World.NodeIdOf(NodeRig.Number))))
        {
            V1.Transaction taken = new();
            taken.Actions.Add(new V1.StoreAction { Delete = new() { Kind = V1.ObjectKind.Lease, Id = lease.Id } });
            rig.World.Apply(taken);
        }

        rig.Assign();
        return rig;
    }

    private static NodeRig Full(out EndpointState[] all)
    {
        NodeRig rig = AttachTests.Ready("10.0.0.0/28");
        for (int i = 0; rig.Answer(rig.Attach(rig.Command($"box{i}"))).Refusal is null; i++)
        {
            Assert.True(i < 14);
        }

        all = rig.Endpoints;
        return rig;
    }
}

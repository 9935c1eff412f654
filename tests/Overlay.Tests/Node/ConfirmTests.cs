using Overlay.Cluster;
using Overlay.Node;

namespace Overlay.Tests.Node;

/// <summary>What the kernel says of endpoints after they were granted.</summary>
public sealed class ConfirmTests
{
    private readonly NodeRig rig = AttachTests.Ready();

    [Fact]
    public void An_endpoint_that_fails_later_is_shown_with_the_kernel_s_words_and_recovers()
    {
        EndpointState endpoint = rig.Attached("web");
        rig.KernelRefuses["web"] = ("EBUSY", false);
        rig.Program();
        Assert.Equal((EndpointStatus.Failed, "EBUSY"), (rig.Endpoints[0].Status, rig.Endpoints[0].Error));
        Assert.NotEmpty(rig.Mind.Gossip.Entries(rig.Blue.Id));
        rig.Sleep(TimeSpan.FromHours(1));
        rig.KernelRefuses.Clear();
        rig.Program();
        Assert.Equal((EndpointStatus.Ready, ""), (rig.Endpoints[0].Status, rig.Endpoints[0].Error));
        Assert.Equal(endpoint.Id, rig.Endpoints[0].Id);
    }

    [Fact]
    public void An_endpoint_without_its_sandbox_is_taken_from_the_others_and_comes_back_with_it()
    {
        EndpointState endpoint = rig.Attached("web");
        rig.KernelRefuses["web"] = ("no such namespace", true);
        rig.Program();
        Assert.Empty(rig.Mind.Gossip.Entries(rig.Blue.Id));
        Assert.Empty(rig.Mind.SandboxZones());
        rig.Sleep(TimeSpan.FromSeconds(100));
        rig.KernelRefuses.Clear();
        rig.Program();
        Assert.Equal(endpoint with { Status = EndpointStatus.Ready }, rig.Endpoints[0] with { Status = EndpointStatus.Ready });
        Assert.Single(rig.Mind.Gossip.Entries(rig.Blue.Id));
        rig.Sleep(TimeSpan.FromHours(1));
        Assert.Single(rig.Endpoints);
    }

    [Fact]
    public void An_endpoint_whose_sandbox_stays_away_is_removed_in_its_time()
    {
        rig.Attached("web");
        rig.KernelRefuses["web"] = ("no such namespace", true);
        rig.Program();
        rig.Sleep(TimeSpan.FromSeconds(60));
        rig.Program();
        rig.Sleep(TimeSpan.FromSeconds(59));
        Assert.Single(rig.Endpoints);
        rig.Sleep(TimeSpan.FromSeconds(2));
        Assert.Empty(rig.Endpoints);
        Assert.Empty(rig.Disk!.Endpoints);
        Assert.Contains(rig.Events, static e => e is NodeEvent.EndpointChanged { Action: "remove", Name: "web" });
    }

    [Fact]
    public void The_confirmation_of_an_older_revision_does_not_confirm_a_newer_endpoint()
    {
        rig.KernelAnswers = false;
        long first = rig.Attach(rig.Command("a"));
        long before = rig.Mind.DataplaneRevision;
        long second = rig.Attach(rig.Command("b"));
        rig.Do((n, now, e) => n.Programmed(before, [], now, e));
        rig.Granted(first);
        Assert.False(rig.IsAnswered(second));
        Assert.Equal([EndpointStatus.Ready, EndpointStatus.Pending], rig.Endpoints.OrderBy(static e => e.Name).Select(static e => e.Status));
    }

    [Fact]
    public void Of_several_attaches_only_the_one_that_the_kernel_refuses_is_undone()
    {
        rig.KernelAnswers = false;
        long good = rig.Attach(rig.Command("good"));
        long bad = rig.Attach(rig.Command("bad"));
        rig.KernelRefuses["bad"] = ("EINVAL", false);
        rig.Program();
        rig.Granted(good);
        rig.Refused(bad, RefusalKind.Unavailable, "EINVAL");
        Assert.Equal("good", Assert.Single(rig.Endpoints).Name);
    }

    [Fact]
    public void Each_request_is_answered_exactly_once()
    {
        rig.KernelAnswers = rig.DiskAnswers = false;
        long request = rig.Attach(rig.Command("web"));
        rig.Program();
        rig.Write();
        rig.Program();
        rig.Write();
        rig.Granted(request);
    }
}

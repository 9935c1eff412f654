using System.Net;
using Overlay.Cluster.Intents;
using Overlay.Dataplane;
using Overlay.Node;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>Which published ports a node serves, and with which backends.</summary>
public sealed class HostPortTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24");

    [Fact]
    public void A_port_is_here_as_long_as_a_backend_is()
    {
        Create("web", Port(8080, 80));
        rig.Attached("box");
        Assert.Empty(rig.Mind.Inputs().Ports);
        EndpointState web = rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web", Weight = 3 }));
        HostPort port = Assert.Single(rig.Mind.Inputs().Ports);
        Assert.Equal(
            ("web", PortProtocol.Tcp, 8080, 80, null, "", new PortBackend(web.Sandbox, 3)),
            (port.Service, port.Protocol, port.Published, port.Target, port.Address, port.Interface, port.Backends.Single()));
        Assert.True(web.GatewaySlot > 0);
        rig.Detached(web);
        Assert.Empty(rig.Mind.Inputs().Ports);
    }

    [Fact]
    public void A_drained_node_serves_none()
    {
        Create("web", Port(8080, 80));
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Edit(new() { Availability = NodeAvailability.Drain });
        Assert.Empty(rig.Mind.Inputs().Ports);
        Edit(new() { Availability = NodeAvailability.Active });
        Assert.Single(rig.Mind.Inputs().Ports);
    }

    [Fact]
    public void An_update_reaches_the_kernel_at_once()
    {
        Create("web");
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        long before = rig.Mind.DataplaneRevision;
        Update("web", new() { PortsAdded = [Port(8080, 80)] });
        Assert.True(rig.Mind.DataplaneRevision > before);
        Assert.Single(rig.Mind.Inputs().Ports);
        before = rig.Mind.DataplaneRevision;
        Update("web", new() { PortsRemoved = [(80, PortProtocol.Unspecified)] });
        Assert.True(rig.Mind.DataplaneRevision > before);
        Assert.Empty(rig.Mind.Inputs().Ports);
    }

    [Fact]
    public void Labels_of_the_node_decide_where_they_are_asked_for()
    {
        Create("web", Port(80, 80, "zone=a"), Port(81, 80, "zone"), Port(82, 80, "zone=b"), Port(83, 80, "disk"));
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Assert.Empty(rig.Mind.Inputs().Ports);
        Edit(new() { LabelsAdded = new NodeEdit().LabelsAdded.Add("zone", "a") });
        Assert.Equal([80, 81], rig.Mind.Inputs().Ports.Select(static p => p.Published));
        Edit(new() { LabelsAdded = new NodeEdit().LabelsAdded.Add("zone", "b") });
        Assert.Equal([81, 82], rig.Mind.Inputs().Ports.Select(static p => p.Published));
    }

    [Fact]
    public void Two_backends_share_a_port_and_one_that_the_kernel_refuses_does_not()
    {
        Create("web", Port(8080, 80, address: "192.0.2.1"));
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        rig.Granted(rig.Attach(rig.Command("web2") with { Service = "web" }));
        HostPort port = Assert.Single(rig.Mind.Inputs().Ports);
        Assert.Equal(IPAddress.Parse("192.0.2.1"), port.Address);
        Assert.Equal(2, port.Backends.Length);
        rig.KernelRefuses["web1"] = ("no such namespace", true);
        rig.Program();
        Assert.EndsWith("web2", Assert.Single(Assert.Single(rig.Mind.Inputs().Ports).Backends).Sandbox.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void A_restart_without_a_manager_serves_as_before()
    {
        Create("web", Port(8080, 80));
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        rig.Sleep(TimeSpan.FromSeconds(6));
        rig.ManagerAnswers = false;
        rig.Boot();
        Assert.Single(Assert.Single(rig.Mind.Inputs().Ports).Backends);
    }

    private void Create(string name, params PublishedPort[] ports)
    {
        rig.World.Do(rig.World.Intent.CreateService(rig.World.Service(name, "blue") with { Ports = [.. ports] }));
        rig.Assign();
    }

    private void Update(string name, ServiceEdit edit)
    {
        rig.World.Do(rig.World.Intent.EditService(name, edit));
        rig.Assign();
    }

    private void Edit(NodeEdit edit)
    {
        rig.World.Do(rig.World.Intent.EditNode(Cluster.World.NodeIdOf(NodeRig.Number), edit));
        rig.Assign();
    }

    private static PublishedPort Port(uint published, uint target, string label = "", string address = "") => new()
    {
        Published = published,
        Target = target,
        Protocol = PortProtocol.Tcp,
        Mode = PublishMode.Host,
        NodeLabel = label,
        Address = address,
    };
}

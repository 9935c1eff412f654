using System.Collections.Immutable;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Node;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>Backends that weigh what a label of their node says.</summary>
public sealed class WeightTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24");

    [Theory]
    [InlineData("4", 4)]
    [InlineData("65535", 65535)]
    [InlineData("65536", 0)]
    [InlineData("0", 0)]
    [InlineData("-1", 0)]
    [InlineData("+4", 0)]
    [InlineData("four", 0)]
    [InlineData("", 0)]
    public void A_label_that_is_a_number_is_the_weight_of_backends_without_one(string label, int weight)
    {
        Create("cores");
        Label("cores", label);
        EndpointState plain = Attached("web1", 0);
        EndpointState own = Attached("web2", 3);
        Assert.Equal((weight, 3), (rig.Mind.WeightOf(plain), rig.Mind.WeightOf(own)));
        Assert.Equal(((uint)weight, 3u), (Told(plain).Weight, Told(own).Weight));
        Assert.Equal(new[] { 3, Math.Max(1, weight) }.OrderDescending(), Weights());
    }

    [Fact]
    public void Labels_and_services_change_it_at_once_for_this_node_and_the_others()
    {
        Create("");
        EndpointState backend = Attached("web1", 0);
        Label("cores", "4");
        Assert.Equal((0u, 1), (Told(backend).Weight, Weights().Single()));
        Edit("cores");
        Assert.Equal((4u, 4), (Told(backend).Weight, Weights().Single()));
        Label("cores", "6");
        Assert.Equal((6u, 6), (Told(backend).Weight, Weights().Single()));
        rig.Boot();
        Assert.Equal((6u, 6), (Told(backend).Weight, Weights().Single()));
        Edit("memory");
        Assert.Equal((0u, 1), (Told(backend).Weight, Weights().Single()));
        Edit("cores");
        rig.World.Do(rig.World.Intent.EditNode(Self, new() { LabelsRemoved = ["cores"] }));
        rig.Assign();
        Assert.Equal((0u, 1), (Told(backend).Weight, Weights().Single()));
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        Create("cores");
        Refused(new() { WeightBy = "a b" }, "--weight-by cores");
        Refused(new() { Scheduler = "rr" }, "wrr");
        rig.World.Do(rig.World.Intent.EditService("web", new() { Scheduler = "rr", WeightBy = "" }));
        Refused(new() { WeightBy = "cores" }, "wrr");
    }

    private void Refused(ServiceEdit edit, string fragment) =>
        Cluster.World.Refused(rig.World.Intent.EditService("web", edit), RefusalKind.Invalid, fragment);

    private static string Self => Cluster.World.NodeIdOf(NodeRig.Number);

    private void Create(string label)
    {
        rig.World.Do(rig.World.Intent.CreateService(rig.World.Service("web", "blue", EndpointMode.Vip) with { WeightBy = label }));
        rig.Assign();
    }

    private void Edit(string label)
    {
        rig.World.Do(rig.World.Intent.EditService("web", new() { WeightBy = label }));
        rig.Assign();
    }

    private void Label(string key, string value)
    {
        rig.World.Do(rig.World.Intent.EditNode(
            Self, new() { LabelsAdded = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal).Add(key, value) }));
        rig.Assign();
    }

    private EndpointState Attached(string sandbox, int weight) =>
        rig.Granted(rig.Attach(rig.Command(sandbox) with { Service = "web", Weight = weight }));

    private EndpointRecord Told(EndpointState endpoint) => EndpointRecord.Parser.ParseFrom(
        Assert.Single(rig.Mind.Gossip.Entries(rig.Blue.Id), e => e.Key == endpoint.Id.ToString()).Value.Span);

    private int[] Weights() => [.. Assert.Single(rig.Mind.Inputs().Services).Backends.Select(static b => b.Weight).OrderDescending()];
}

using System.Runtime.CompilerServices;
using Overlay.Dataplane;
using Overlay.Primitives;

namespace Overlay.Tests.Dataplane;

/// <summary>
/// Plans as text beside the tests. With OVERLAYD_UPDATE_GOLDEN=1 the files are written anew; a difference that nobody
/// can explain is a bug.
/// </summary>
public sealed class PlanGoldenTests
{
    private static readonly NamespaceName Web = new("/run/netns/web");
    private static readonly NamespaceName Overlay = Desired.NamespaceOf(Scene.Red);

    private readonly ModelKernel kernel = new();

    [Fact]
    public void From_nothing_and_back()
    {
        kernel.Change(Web, static _ => Scene.Strangers("dock0", LinkKind.Veth));
        HostState wish = Desired.For(Scene.Fixed);
        Check("from-nothing", wish);
        Check("last-endpoint-leaves", Desired.For(Scene.Fixed with { Endpoints = [] }));
    }

    [Fact]
    public void A_remote_comes_moves_and_goes()
    {
        Settle(Desired.For(Scene.Fixed));
        Check("remotes-change", Desired.For(Scene.Fixed with
        {
            Remotes =
            [
                Scene.Fixed.Remotes[0] with { Vtep = Scene.Fixed.Remotes[1].Vtep, Mac = new(0x0200_0000_9999) },
                Scene.Remote(Scene.Red, 0, 0, 40, 4),
            ],
        }));
    }

    [Fact]
    public void Drift_is_repaired_by_what_is_missing_alone()
    {
        HostState wish = Desired.For(Scene.Fixed);
        Settle(wish);
        NamespaceState inside = kernel.State.Namespaces[Overlay];
        Assert.Null(kernel.Execute(new Operation.DeleteFdb(Overlay, inside.Fdb[0])));
        Assert.Null(kernel.Execute(new Operation.DeleteNeighbour(Overlay, inside.Neighbours[0])));
        Assert.Null(kernel.Execute(new Operation.ChangeLink(Overlay, "br0", Mtu: 1300, Up: false)));
        Assert.Null(kernel.Execute(new Operation.DeleteNftTable(NamespaceName.Host)));
        Check("drift", wish);
        Assert.Null(kernel.Execute(new Operation.DeleteLink(Overlay, "vxlan0")));
        Check("drift-vxlan-deleted", wish);
        Assert.Null(kernel.Execute(new Operation.DeleteLink(Web, "eth0")));
        Check("drift-sandbox-link-deleted", wish);
    }

    [Fact]
    public void A_network_that_comes_back_takes_its_vni_from_its_predecessor_first()
    {
        Settle(Desired.For(Scene.Fixed));
        NetworkId blue = new(0x7777_7777_7777_7777);
        Check("same-vni-other-network", Desired.For(Scene.Fixed with
        {
            Networks = [Scene.Fixed.Networks[0] with { Id = blue }],
            Endpoints = [Scene.Fixed.Endpoints[0] with { Network = blue, Id = new(0x3333_3333_3333_3333) }],
            Remotes = [],
        }));
    }

    [Fact]
    public void An_endpoint_with_another_address_loses_the_old_one()
    {
        Settle(Desired.For(Scene.Fixed));
        Check("readdressed", Desired.For(Scene.Fixed with
        {
            Endpoints = [Scene.Fixed.Endpoints[0] with { Ipv4 = System.Net.IPAddress.Parse("10.0.0.99") }],
        }));
    }

    [Fact]
    public void A_sandbox_that_is_gone_is_named_and_left_alone()
    {
        Assert.Equal([Web], kernel.PlanFor(Desired.For(Scene.Fixed)).Unreachable);
        Check("sandbox-gone", Desired.For(Scene.Fixed));
    }

    private void Settle(HostState wish)
    {
        kernel.Change(Web, static _ => Scene.Strangers("dock0", LinkKind.Veth));
        Assert.Empty(kernel.Execute(kernel.PlanFor(wish)));
    }

    private void Check(string name, HostState wish, [CallerFilePath] string here = "")
    {
        Plan plan = kernel.PlanFor(wish);
        string path = Path.Combine(AppContext.BaseDirectory, "testdata", "plans", $"{name}.txt");
        if (Environment.GetEnvironmentVariable("OVERLAYD_UPDATE_GOLDEN") == "1")
        {
            path = Path.Combine(Path.GetDirectoryName(here)!, "..", "testdata", "plans", $"{name}.txt");
            File.WriteAllText(path, plan.ToString());
        }

        Assert.Equal(File.ReadAllText(path), plan.ToString());
        Assert.Empty(kernel.Execute(plan));
        Assert.Empty(kernel.PlanFor(wish).Operations);
    }
}

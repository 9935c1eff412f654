using Overlay.Dataplane;
using Overlay.Tests.Dataplane;

namespace Overlay.Tests.Linux;

/// <summary>Sandboxes do not meet on the gateway bridge, not even by its own ICMP redirects and past netfilter.</summary>
[Trait("Layer", "lab")]
public sealed class GatewayIsolationLabTests : IDisposable
{
    private readonly LabNamespaces lab = new();

    public void Dispose() => lab.Dispose();

    [Fact]
    public void A_sandbox_reaches_the_bridge_but_no_other_sandbox_over_it()
    {
        string first = lab.Make("box1");
        string second = lab.Make("box2");
        DataplaneInputs inputs = Scene.Fixed with
        {
            Remotes = [],
            Endpoints =
            [
                Scene.Local(0x2222_0000_0000_0001, Scene.Red, 0, 0, 20, first) with { GatewaySlot = 2 },
                Scene.Local(0x3333_0000_0000_0001, Scene.Red, 0, 0, 21, second) with { GatewaySlot = 3 },
            ],
        };
        lab.Overlay(Desired.NamespaceOf(Scene.Red));
        LabNamespaces.Run($"ip netns exec {lab.HostName} sysctl -qw net.bridge.bridge-nf-call-iptables=0");
        HostState wish = Desired.For(inputs);
        HostState observed = lab.Kernel.Observe(Planner.NamespacesToObserve(wish, lab.Overlays), wish.SysctlPaths());
        lab.Apply([.. Planner.Plan(wish, observed).Operations]);

        LabNamespaces.Run($"ip netns exec {first} ping -c 1 -W 2 172.30.0.1");
        LabNamespaces.Run($"ip netns exec {first} ping -c 1 -W 2 10.0.0.21");
        Assert.NotEqual(0, LabNamespaces.TryRun($"ip netns exec {first} ping -c 6 -i 0.05 -W 1 172.30.0.3").Code);
        LabNamespaces.Run($"ip -n {first} route add 172.30.0.3/32 dev ovgw");
        Assert.NotEqual(0, LabNamespaces.TryRun($"ip netns exec {first} ping -c 2 -i 0.05 -W 1 172.30.0.3").Code);
    }
}

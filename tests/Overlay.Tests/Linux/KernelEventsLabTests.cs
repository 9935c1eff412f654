using System.Net;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Linux.Events;
using Overlay.Linux.Namespaces;
using Overlay.Primitives;

namespace Overlay.Tests.Linux;

[Trait("Layer", "lab")]
public sealed class KernelEventsLabTests : IAsyncDisposable
{
    private static readonly MacAddress Mac = new(0x0242_0a00_0002);

    private readonly LabNamespaces lab = new();
    private readonly NamespaceName overlay;
    private readonly KernelEvents events;

    public KernelEventsLabTests()
    {
        overlay = lab.Overlay("a");
        events = new(lab.Kernel.Namespaces);
        // Without IPv6: the kernel tells of its own link-local addresses whenever it is done with them.
        lab.Apply(
            new Operation.CreateNamespace(overlay),
            new Operation.SetSysctl(overlay, "net/ipv6/conf/default/disable_ipv6", "1"),
            new Operation.CreateLink(overlay, new()
            {
                Name = "vxlan0",
                Kind = LinkKind.Vxlan,
                Up = true,
                Vxlan = new(new(6001), IPAddress.Parse("192.0.2.1"), 4789, false, true, true, true),
            }),
            new Operation.ReplaceFdb(overlay, new("vxlan0", Mac, IPAddress.Parse("192.0.2.7"))),
            new Operation.ReplaceNeighbour(overlay, new("vxlan0", IPAddress.Parse("10.0.0.2"), Mac)),
            new Operation.ReplaceNftTable(overlay, "table inet overlayd {\n}\n"));
    }

    public static TheoryData<string> ForeignChanges =>
    [
        "bridge -n NS fdb del 02:42:0a:00:00:02 dev vxlan0 dst 192.0.2.7 self",
        "ip -n NS neigh del 10.0.0.2 dev vxlan0",
        "ip -n NS link set vxlan0 down",
        "ip -n NS link del vxlan0",
        "ip -n NS addr add 10.1.0.1/24 dev lo",
        "ip netns exec NS nft flush ruleset",
    ];

    public async ValueTask DisposeAsync()
    {
        await events.DisposeAsync();
        lab.Dispose();
    }

    [Theory]
    [MemberData(nameof(ForeignChanges))]
    public async Task A_foreign_change_is_told(string command)
    {
        await events.WatchAsync(overlay);
        await events.WatchAsync(NamespaceName.Host);
        LabNamespaces.Run(command.Replace("NS", overlay.Value, StringComparison.Ordinal));
        IReadOnlyList<NamespaceName> changed = await WaitAsync(TimeSpan.FromSeconds(5));
        Assert.Equal([overlay], changed);
    }

    [Fact]
    public async Task Our_own_addresses_routes_neighbours_and_tables_are_not_told()
    {
        await events.WatchAsync(overlay);
        lab.Apply(
            new Operation.ReplaceAddress(overlay, new("vxlan0", IPAddress.Parse("10.0.0.1"), 24)),
            new Operation.ReplaceNeighbour(overlay, new("vxlan0", IPAddress.Parse("10.0.0.3"), Mac)),
            new Operation.ReplaceNftTable(overlay, "table inet overlayd {\n\tchain x {\n\t}\n}\n"),
            new Operation.DeleteNftTable(overlay));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => WaitAsync(TimeSpan.FromMilliseconds(200)));
    }

    [Theory]
    [InlineData("ip netns exec NS nft add table inet other", true)]
    [InlineData("ip -n NS rule add from 10.0.0.9 table 79", true)]
    [InlineData("ip -n NS addr add 10.1.0.1/24 dev lo", true)]
    [InlineData("ip -n NS link add x type bridge", false)]
    [InlineData("ip -n NS route add 10.2.0.0/16 dev lo", false)]
    public async Task In_a_sandbox_only_what_is_ours_there_is_listened_for(string command, bool told)
    {
        string box = lab.Make("box");
        NamespaceName name = new($"/run/netns/{box}");
        await events.WatchAsync(name);
        LabNamespaces.Run(command.Replace("NS", box, StringComparison.Ordinal));
        if (told)
        {
            Assert.Equal([name], await WaitAsync(TimeSpan.FromSeconds(5)));
        }
        else
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => WaitAsync(TimeSpan.FromMilliseconds(200)));
        }
    }

    [Fact]
    public async Task A_namespace_that_is_no_longer_watched_can_end()
    {
        await events.WatchAsync(overlay);
        await events.UnwatchAsync(overlay);
        lab.Apply(new Operation.DeleteNamespace(overlay), new Operation.CreateNamespace(overlay));
        await events.WatchAsync(overlay);
        LabNamespaces.Run($"ip -n {overlay} link add x type bridge");
        Assert.Equal([overlay], await WaitAsync(TimeSpan.FromSeconds(5)));
    }

    [Fact]
    public async Task An_overflow_is_told_as_a_change()
    {
        // Our own neighbours are not told one by one: what is told can only be that notifications were lost.
        TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using NamespaceHandle handle = lab.Kernel.Namespaces.Open(overlay);
        await using NamespaceWatch watch = NamespaceWatch.Start(
            handle, isSandbox: false, () => changed.TrySetResult(), e => changed.TrySetException(e), receiveBytes: 4096);
        lab.Apply(
        [
            .. Enumerable.Range(0, 1000).Select(i => new Operation.ReplaceNeighbour(
                overlay, new("vxlan0", new IPAddress([10, 2, (byte)(i >> 8), (byte)i]), Mac))),
        ]);
        await changed.Task.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
    }

    private async Task<IReadOnlyList<NamespaceName>> WaitAsync(TimeSpan limit)
    {
        using CancellationTokenSource timeout = new(limit);
        return await events.WaitAsync(timeout.Token);
    }
}

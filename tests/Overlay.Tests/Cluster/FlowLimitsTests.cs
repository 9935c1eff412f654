using Overlay.Cluster;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>How long clients and flows of a service are to be remembered: what is stored of it, and each refusal.</summary>
public sealed class FlowLimitsTests
{
    private const long Day = 86_400_000;

    private readonly World world = new();

    public FlowLimitsTests()
    {
        world.Create("blue");
        world.Do(world.Intent.CreateService(world.Service("web", "blue", EndpointMode.Vip) with
        {
            StickyMs = Day,
            Timeouts = new() { TcpMs = 10 * Day, UdpMs = 1000 },
        }));
    }

    [Fact]
    public void What_is_said_is_stored_and_stays_until_something_else_is()
    {
        Assert.Equal((Day, new FlowTimeouts { TcpMs = 10 * Day, UdpMs = 1000 }), Stored());
        world.Do(world.Intent.EditService("web", new() { Scheduler = "sh" }));
        Assert.Equal((Day, new FlowTimeouts { TcpMs = 10 * Day, UdpMs = 1000 }), Stored());
        world.Do(world.Intent.EditService("web", new() { Timeouts = new() { TcpFinMs = 2000 } }));
        Assert.Equal((Day, new FlowTimeouts { TcpFinMs = 2000 }), Stored());
        world.Do(world.Intent.EditService("web", new() { StickyMs = 0, Timeouts = new() }));
        Assert.Equal((0, null), Stored());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    [InlineData(999)]
    [InlineData(1001)]
    [InlineData(Day + 1000)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public void Clients_are_remembered_for_whole_seconds_up_to_a_day(long milliseconds)
    {
        Refused(world.Intent.EditService("web", new() { StickyMs = milliseconds }), RefusalKind.Invalid, "1 s to 24 h, in whole seconds");
        Refused(
            world.Intent.CreateService(world.Service("x", "blue", EndpointMode.Vip) with { StickyMs = milliseconds }), RefusalKind.Invalid, "1 s to 24 h");
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(500)]
    [InlineData(1001)]
    [InlineData((10 * Day) + 1000)]
    [InlineData(long.MaxValue)]
    public void Flows_are_kept_for_whole_seconds_up_to_ten_days(long milliseconds)
    {
        Refused(world.Intent.EditService("web", new() { Timeouts = new() { TcpMs = milliseconds } }), RefusalKind.Invalid, "time-out of tcp ");
        Refused(world.Intent.EditService("web", new() { Timeouts = new() { TcpFinMs = milliseconds } }), RefusalKind.Invalid, "time-out of tcpfin ");
        Refused(world.Intent.EditService("web", new() { Timeouts = new() { UdpMs = milliseconds } }), RefusalKind.Invalid, "time-out of udp ");
        Refused(
            world.Intent.CreateService(world.Service("x", "blue", EndpointMode.Vip) with { Timeouts = new() { UdpMs = milliseconds } }),
            RefusalKind.Invalid, "1 s to 10 d, in whole seconds");
    }

    [Fact]
    public void Names_alone_remember_nobody()
    {
        world.Do(world.Intent.CreateService(world.Service("names", "blue", EndpointMode.Dnsrr) with { Timeouts = new() { TcpMs = 5000 } }));
        Refused(world.Intent.EditService("names", new() { StickyMs = 60_000 }), RefusalKind.Invalid, "each time anew");
    }

    private (long Sticky, FlowTimeouts? Timeouts) Stored() => (world.State.ServiceNamed("web")!.StickyMs, world.State.ServiceNamed("web")!.Timeouts);
}

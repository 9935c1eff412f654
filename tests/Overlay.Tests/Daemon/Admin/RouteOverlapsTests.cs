using Overlay.Daemon.Admin;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Admin;

public sealed class RouteOverlapsTests
{
    private static readonly NetworkObject Web = new()
    {
        Name = "web",
        Segments = { new Segment { Ipv4 = new() { Subnet = "10.0.3.0/24" }, Ipv6 = new() { Subnet = "fd00:3::/64" } } },
    };

    [Theory]
    [InlineData("10.0.0.0/16")]
    [InlineData("10.0.3.0/24")]
    [InlineData("10.0.3.128/25")]
    [InlineData("fd00:3::5/128")]
    public void A_route_inside_or_around_a_subnet_is_told_with_its_device(string route)
    {
        string problem = Assert.Single(RouteOverlaps.Find([Web], [new() { Destination = route, Device = "eth7" }]));

        Assert.Contains("network web", problem, StringComparison.Ordinal);
        Assert.Contains($"{route} on 'eth7'", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("10.0.4.0/24")]
    [InlineData("fd00:4::/64")]
    public void Any_other_route_is_no_problem(string route) =>
        Assert.Empty(RouteOverlaps.Find([Web], [new() { Destination = route, Device = "eth7" }]));
}

using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>What backends are to be asked: what is stored of it, and each refusal.</summary>
public sealed class HealthIntentTests
{
    private readonly World world = new();

    public HealthIntentTests() => world.Create("blue");

    [Fact]
    public void What_was_not_said_is_the_default() => Assert.Equal(
        new HealthCheck { Kind = HealthKind.Tcp, Port = 80, IntervalMs = 10_000, TimeoutMs = 3000, Retries = 3 },
        Stored(new() { Kind = HealthKind.Tcp, Port = 80 }));

    [Fact]
    public void The_default_timeout_is_no_longer_than_the_interval() =>
        Assert.Equal(1000, Stored(new() { Kind = HealthKind.Tcp, Port = 80, IntervalMs = 1000 }).TimeoutMs);

    [Fact]
    public void Everything_that_was_said_is_kept_and_told_to_nodes()
    {
        HealthCheck check = new()
        {
            Kind = HealthKind.Http,
            Port = 65535,
            Path = "/a?b=c",
            IntervalMs = 3_600_000,
            TimeoutMs = 60_000,
            Retries = 100,
            StartPeriodMs = 3_600_000,
        };
        Assert.Equal(check, Stored(check));
        world.AddNode(2);
        Assignment told = AssignmentBuilder.For(world.Store, new(2), 0);
        Assert.Equal(check, told.Upserts.Single(static u => u.Service is not null).Service.Health);
    }

    [Fact]
    public void An_update_puts_another_in_its_place_takes_it_away_or_leaves_it()
    {
        world.Do(world.Intent.CreateService(world.Service("web", "blue") with
        {
            Health = new() { Kind = HealthKind.Tcp, Port = 80, Retries = 9 },
        }));
        Assert.Equal(9u, Edited(new() { LabelsAdded = new ServiceEdit().LabelsAdded.Add("a", "b") })!.Retries);
        Assert.Equal(
            new HealthCheck { Kind = HealthKind.Http, Port = 81, Path = "/", IntervalMs = 10_000, TimeoutMs = 3000, Retries = 3 },
            Edited(new() { Health = new() { Kind = HealthKind.Http, Port = 81, Path = "/" } }));
        Refused(
            world.Intent.EditService("web", new() { Health = new() { Kind = HealthKind.Tcp } }), RefusalKind.Invalid,
            "Service web was not changed", "from 1 to 65535");
        Refused(
            world.Intent.EditService("web", new() { NoHealth = true, Health = new() { Kind = HealthKind.Tcp, Port = 1 } }), RefusalKind.Invalid,
            "at once");
        Assert.Null(Edited(new() { NoHealth = true }));
    }

    private HealthCheck? Edited(ServiceEdit edit)
    {
        world.Do(world.Intent.EditService("web", edit));
        return world.State.ServiceNamed("web")!.Health;
    }

    [Fact]
    public void Without_one_none_is_stored() => Assert.Null(world.CreateService("web", "blue").Health);

    [Theory]
    [InlineData(HealthKind.Unspecified, 80u, "", "--health tcp:8080")]
    [InlineData((HealthKind)7, 80u, "", "--health tcp:8080")]
    [InlineData(HealthKind.Tcp, 0u, "", "from 1 to 65535")]
    [InlineData(HealthKind.Tcp, 65536u, "", "65536")]
    [InlineData(HealthKind.Tcp, 80u, "/", "no path")]
    [InlineData(HealthKind.Http, 80u, "", "begins with '/'")]
    [InlineData(HealthKind.Http, 80u, "healthz", "begins with '/'")]
    [InlineData(HealthKind.Http, 80u, "/a b", "visible characters")]
    [InlineData(HealthKind.Http, 80u, "/a\r\nHost: b", "visible characters")]
    [InlineData(HealthKind.Http, 80u, "/ä", "visible characters")]
    [InlineData(HealthKind.Http, 80u, "/#a", "'#'")]
    public void A_target_that_is_none(HealthKind kind, uint port, string path, string says) =>
        AssertRefused(new() { Kind = kind, Port = port, Path = path }, says, "--health");

    [Theory]
    [InlineData(499, 0, 0u, 0, "499 ms", "--health-interval")]
    [InlineData(-1, 0, 0u, 0, "-1 ms", "--health-interval")]
    [InlineData(3_600_001, 0, 0u, 0, "1 h", "--health-interval")]
    [InlineData(1000, 99, 0u, 0, "100 ms", "--health-timeout")]
    [InlineData(3_600_000, 60_001, 0u, 0, "60001 ms", "1 min", "--health-timeout")]
    [InlineData(1000, -5, 0u, 0, "-5 ms", "--health-timeout")]
    [InlineData(1000, 1001, 0u, 0, "1001 ms", "longer than its interval", "--health-interval")]
    [InlineData(0, 10_001, 0u, 0, "10000 ms", "--health-timeout")]
    [InlineData(1000, 1000, 101u, 0, "from 1 to 100", "--health-retries")]
    [InlineData(1000, 1000, 1u, -1, "-1 ms", "--health-start-period")]
    [InlineData(1000, 1000, 1u, 3_600_001, "up to 1 h", "--health-start-period")]
    [InlineData(long.MinValue, long.MaxValue, uint.MaxValue, long.MinValue, "ms", "--health")]
    public void A_time_that_is_none(long interval, long timeout, uint retries, long startPeriod, params string[] says) => AssertRefused(
        new() { Kind = HealthKind.Tcp, Port = 80, IntervalMs = interval, TimeoutMs = timeout, Retries = retries, StartPeriodMs = startPeriod },
        says);

    [Fact]
    public void A_path_of_1024_characters_is_one_and_a_longer_one_is_not()
    {
        Assert.True(HealthRules.IsPath("/" + new string('a', 1023)));
        Assert.False(HealthRules.IsPath("/" + new string('a', 1024)));
        Assert.False(HealthRules.IsPath(""));
    }

    private HealthCheck Stored(HealthCheck check)
    {
        ServiceObject made = world.Do(world.Intent.CreateService(world.Service("web", "blue") with { Health = check }));
        return world.State.Service(made.Id)!.Health;
    }

    private void AssertRefused(HealthCheck check, params string[] says)
    {
        Refused(world.Intent.CreateService(world.Service("web", "blue") with { Health = check }), RefusalKind.Invalid, says);
        Assert.Equal(0, world.State.ServiceCount);
    }
}

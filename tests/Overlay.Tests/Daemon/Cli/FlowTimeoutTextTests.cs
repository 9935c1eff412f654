using Overlay.Daemon.Configuration;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>--sticky and --timeout, from the command line to the request.</summary>
public sealed class FlowTimeoutTextTests : IAsyncLifetime
{
    private readonly CliSession session = new() { Time = TimeProvider.System };
    private FakeAgent agent = null!;

    public async ValueTask InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        session["OVERLAYD_SOCKET"] = agent.SocketPath;
        agent.Answers<CreateServiceRequest>(new ServiceView { Service = new ServiceObject { Id = "s1", Name = "web" } });
        agent.Answers<UpdateServiceRequest>(new UpdateServiceResponse { Service = new() { Service = new ServiceObject { Id = "s1", Name = "web" } } });
    }

    public ValueTask DisposeAsync() => agent.DisposeAsync();

    [Theory]
    [InlineData("tcp=2h,tcpfin=2m,udp=5m", 7_200_000, 120_000, 300_000)]
    [InlineData("udp=90s", 0, 0, 90_000)]
    [InlineData("tcpfin=1m30s,tcp=1d", 86_400_000, 90_000, 0)]
    public void Times_are_read(string text, long tcp, long tcpFin, long udp)
    {
        Assert.True(FlowTimeoutText.TryParse(text, out FlowTimeouts timeouts));
        Assert.Equal(new FlowTimeouts { TcpMs = tcp, TcpFinMs = tcpFin, UdpMs = udp }, timeouts);
    }

    [Theory]
    [InlineData("")]
    [InlineData(",")]
    [InlineData("tcp")]
    [InlineData("tcp=")]
    [InlineData("tcp=0s")]
    [InlineData("tcp=5")]
    [InlineData("tcp=-5s")]
    [InlineData("sctp=5m")]
    [InlineData("TCP=5m")]
    [InlineData("tcp=5m,tcp=6m")]
    [InlineData("tcp=5m,")]
    [InlineData("tcp=5m;udp=5m")]
    public void What_is_none_is_refused(string text) => Assert.False(FlowTimeoutText.TryParse(text, out _));

    [Fact]
    public async Task What_was_said_is_asked_for()
    {
        await session.RunAsync("service", "create", "web", "--network", "blue", "--sticky", "10m", "--timeout", "udp=5m");
        CreateServiceRequest asked = agent.Requests.OfType<CreateServiceRequest>().Single();
        Assert.Equal((600_000, new FlowTimeouts { UdpMs = 300_000 }), (asked.StickyMs, asked.Timeouts));

        await session.RunAsync("service", "update", "web", "--sticky", "off", "--timeout", "off");
        UpdateServiceRequest off = agent.Requests.OfType<UpdateServiceRequest>().Single();
        Assert.Equal((true, 0, new FlowTimeouts()), (off.HasStickyMs, off.StickyMs, off.Timeouts));

        await session.RunAsync("service", "update", "web", "--scheduler", "rr");
        UpdateServiceRequest other = agent.Requests.OfType<UpdateServiceRequest>().Last();
        Assert.Equal((false, null), (other.HasStickyMs, other.Timeouts));
    }

    [Theory]
    [InlineData("create", "--sticky", "off")]
    [InlineData("create", "--sticky", "soon")]
    [InlineData("create", "--timeout", "off")]
    [InlineData("update", "--timeout", "none")]
    [InlineData("update", "--sticky", "0s")]
    public async Task What_is_unclear_asks_nobody(string verb, string flag, string value)
    {
        string[] network = verb == "create" ? ["--network", "blue"] : [];
        CliResult refused = await session.RunAsync(["service", verb, "web", .. network, flag, value]);
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains($"{flag} is '{value}': write ", refused.Error, StringComparison.Ordinal);
        Assert.Empty(agent.Requests);
    }
}

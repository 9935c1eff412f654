using Overlay.Daemon.Cli;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>--health and what belongs to it, from the command line to the request.</summary>
public sealed class HealthTextTests : IAsyncLifetime
{
    private readonly CliSession session = new() { Time = TimeProvider.System };
    private FakeAgent agent = null!;

    public async ValueTask InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        session["OVERLAYD_SOCKET"] = agent.SocketPath;
        agent.Answers<CreateServiceRequest>(new ServiceView { Service = new ServiceObject { Id = "s1", Name = "web" } });
        agent.Answers<AttachRequest>(new EndpointView { Id = "e1", Name = "web1", Service = "web", Health = "starting" });
    }

    public ValueTask DisposeAsync() => agent.DisposeAsync();

    [Theory]
    [InlineData("tcp:1", HealthKind.Tcp, 1u, "")]
    [InlineData("tcp:65535", HealthKind.Tcp, 65535u, "")]
    [InlineData("http:80/", HealthKind.Http, 80u, "/")]
    [InlineData("http:8080/a/b?c=d:e", HealthKind.Http, 8080u, "/a/b?c=d:e")]
    public void A_target_is_read(string text, HealthKind kind, uint port, string path)
    {
        Assert.True(HealthText.TryParse(text, out HealthCheck check));
        Assert.Equal(new HealthCheck { Kind = kind, Port = port, Path = path }, check);
    }

    [Theory]
    [InlineData("")]
    [InlineData("tcp")]
    [InlineData("tcp:")]
    [InlineData("tcp:0")]
    [InlineData("tcp:65536")]
    [InlineData("tcp:-1")]
    [InlineData("tcp: 80")]
    [InlineData("tcp:80/")]
    [InlineData("TCP:80")]
    [InlineData("http:80")]
    [InlineData("http:/healthz")]
    [InlineData("http:80healthz")]
    [InlineData("http://web:80/")]
    [InlineData("http:80/a b")]
    [InlineData("http:80/é")]
    [InlineData("https:443/")]
    [InlineData("exec:true")]
    [InlineData("80")]
    public void What_is_no_target_is_not(string text) => Assert.False(HealthText.TryParse(text, out _));

    [Fact]
    public async Task All_that_is_given_is_asked_for()
    {
        CliResult made = await session.RunAsync(
            "service", "create", "--network", "blue", "--health", "http:80/up", "--health-interval", "5s", "--health-timeout", "500ms",
            "--health-retries", "2", "--health-start-period", "1m", "web");
        Assert.Equal((0, ""), (made.ExitCode, made.Error));
        Assert.Equal(
            new HealthCheck
            {
                Kind = HealthKind.Http,
                Port = 80,
                Path = "/up",
                IntervalMs = 5000,
                TimeoutMs = 500,
                Retries = 2,
                StartPeriodMs = 60_000,
            },
            agent.Requests.OfType<CreateServiceRequest>().Single().Health);
    }

    [Fact]
    public async Task Without_it_none_is_and_what_is_not_given_is_left_to_the_manager()
    {
        await session.RunAsync("service", "create", "--network", "blue", "web");
        await session.RunAsync("service", "create", "--network", "blue", "--health", "tcp:80", "web");
        Assert.Equal(
            [null, new HealthCheck { Kind = HealthKind.Tcp, Port = 80 }], agent.Requests.OfType<CreateServiceRequest>().Select(static r => r.Health));
    }

    [Fact]
    public async Task A_command_goes_with_the_attach_and_its_user_hears_when_the_backend_counts()
    {
        CliResult made = await session.RunAsync("attach", "--service", "web", "--health-cmd", "test -e '/a b'", "blue", "web1");
        Assert.Equal(0, made.ExitCode);
        Assert.Contains("names of service web with its first good check", made.Error, StringComparison.Ordinal);
        Assert.Equal("test -e '/a b'", agent.Requests.OfType<AttachRequest>().Single().HealthCommand);
    }

    [Theory]
    [InlineData("tcp:0", "--health is 'tcp:0': use tcp:PORT or http:PORT/PATH, like tcp:5432 or http:8080/healthz.")]
    [InlineData("exec:true", "--health is 'exec:true': use tcp:PORT or http:PORT/PATH, like tcp:5432 or http:8080/healthz.")]
    [InlineData("tcp:80 --health-retries 0", "--health-retries is '0': use a number from 1 to 100.")]
    [InlineData("tcp:80 --health-interval 5", "--health-interval is '5': write a duration like 500ms, 30s, 5m or 90d.")]
    [InlineData("tcp:80 --health-interval 5s --health-timeout 6s", "--health-timeout is '6s': use at most the interval, which is 5s.")]
    [InlineData("tcp:80 --health-timeout 10001ms", "--health-timeout is '10s1ms': use at most the interval, which is 10s.")]
    [InlineData("tcp:80 --health-interval x --health-timeout 11s", "--health-interval is 'x': write a duration like 500ms, 30s, 5m or 90d.")]
    public async Task What_makes_no_sense_is_said_in_one_sentence(string flags, string says)
    {
        CliResult refused = await session.RunAsync(["service", "create", "--network", "blue", "web", "--health", .. flags.Split(' ')]);
        Assert.Equal((2, ""), (refused.ExitCode, refused.Out));
        Assert.Equal($"overlayd: {says}", refused.Error.Split('\n')[0]);
        Assert.Empty(agent.Requests);
    }

    [Theory]
    [InlineData("--health-interval 5s", "overlayd service create takes --health-interval only with --health.")]
    [InlineData("--health-timeout 5s", "overlayd service create takes --health-timeout only with --health.")]
    [InlineData("--health-retries 5", "overlayd service create takes --health-retries only with --health.")]
    [InlineData("--health-start-period 5s", "overlayd service create takes --health-start-period only with --health.")]
    public async Task What_belongs_to_a_check_is_not_taken_without_one(string flags, string says)
    {
        CliResult refused = await session.RunAsync(["service", "create", "--network", "blue", "web", .. flags.Split(' ')]);
        Assert.Equal((2, ""), (refused.ExitCode, refused.Out));
        Assert.Equal($"overlayd: {says}", refused.Error.Split('\n')[0]);
    }

    [Fact]
    public async Task A_command_needs_a_service_and_something_to_run()
    {
        CliResult alone = await session.RunAsync("attach", "--health-cmd", "true", "blue", "web1");
        Assert.Equal((2, "overlayd: attach takes --health-cmd only with --service."), (alone.ExitCode, alone.Error.Split('\n')[0]));
        CliResult blank = await session.RunAsync("attach", "--health-cmd", " ", "--service", "web", "blue", "web1");
        Assert.Equal(
            (2, "overlayd: --health-cmd is blank: write a command, like 'pg_isready -h 127.0.0.1'."), (blank.ExitCode, blank.Error.Split('\n')[0]));
        Assert.Empty(agent.Requests);
    }
}

using System.Net.Sockets;
using System.Text;
using Overlay.Daemon.Telemetry;

namespace Overlay.Tests.Daemon.Telemetry;

public sealed class SystemdNotifyTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("overlayd-test").FullName;
    private readonly Socket listener = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Every_message_arrives(bool isAbstract)
    {
        string path = isAbstract ? $"@overlayd-test-{Guid.NewGuid()}" : Path.Combine(folder, "notify");
        listener.Bind(new UnixDomainSocketEndPoint(isAbstract ? $"\0{path[1..]}" : path));
        using SystemdNotify notify = SystemdNotify.FromEnvironment(name => name == "NOTIFY_SOCKET" ? path : null);
        Assert.True(notify.IsListening);
        notify.Ready("3 nodes\n12 endpoints");
        notify.Status("leader n1");
        notify.Watchdog();
        notify.Stopping();
        Assert.Equal(
            ["READY=1\nSTATUS=3 nodes 12 endpoints", "STATUS=leader n1", "WATCHDOG=1", "STOPPING=1"],
            Enumerable.Range(0, 4).Select(_ => Receive()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("relative")]
    [InlineData("@")]
    [InlineData("/nowhere/at/all")]
    public void Without_a_listener_nothing_happens(string? path)
    {
        using SystemdNotify notify = new(path);
        notify.Ready("here");
        notify.Dispose();
        notify.Stopping();
    }

    [Fact]
    public void Nobody_reads()
    {
        string path = Path.Combine(folder, "notify");
        listener.Bind(new UnixDomainSocketEndPoint(path));
        using SystemdNotify notify = new(path);
        for (int i = 0; i < 10_000; i++)
        {
            notify.Status("still here");
        }
    }

    [Theory]
    [InlineData("30000000", null, 15.0)]
    [InlineData("30000000", "self", 15.0)]
    [InlineData("30000000", "1", null)]
    [InlineData("0", null, null)]
    [InlineData("-5", null, null)]
    [InlineData("x", null, null)]
    [InlineData("99999999999999999999", null, null)]
    [InlineData(null, null, null)]
    public void The_watchdogs_interval(string? microseconds, string? pid, double? seconds)
    {
        using SystemdNotify notify = SystemdNotify.FromEnvironment(name => name switch
        {
            "WATCHDOG_USEC" => microseconds,
            "WATCHDOG_PID" => pid == "self" ? Environment.ProcessId.ToString() : pid,
            _ => null,
        });
        Assert.Equal(seconds, notify.WatchdogInterval?.TotalSeconds);
    }

    [Fact]
    public async Task The_watchdog_is_fed_while_the_agent_is_alive()
    {
        string path = Path.Combine(folder, "notify");
        listener.Bind(new UnixDomainSocketEndPoint(path));
        using SystemdNotify notify = new(path, TimeSpan.FromMilliseconds(2));
        using CancellationTokenSource stop = new();
        Task running = notify.RunWatchdogAsync(static () => true, TimeProvider.System, stop.Token);
        byte[] buffer = new byte[100];
        for (int i = 0; i < 3; i++)
        {
            int length = await listener.ReceiveAsync(buffer);
            Assert.Equal("WATCHDOG=1", Encoding.UTF8.GetString(buffer, 0, length));
        }

        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public async Task The_status_line_is_sent_when_it_changed()
    {
        string path = Path.Combine(folder, "notify");
        listener.Bind(new UnixDomainSocketEndPoint(path));
        using SystemdNotify notify = new(path);
        using ManualTime time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
        using CancellationTokenSource stop = new();
        string[] lines = ["one", "one", "two\nlines", "one"];
        int asked = 0;
        Task running = notify.RunStatusAsync(() => lines[Math.Min(asked++, 3)], time, stop.Token);
        Assert.Equal("STATUS=one", Receive());
        foreach (string expected in (string[])["STATUS=two lines", "STATUS=one"])
        {
            while (listener.Available == 0)
            {
                await time.PassToNextTimerAsync(TestContext.Current.CancellationToken);
            }

            Assert.Equal(expected, Receive());
        }

        await stop.CancelAsync();
        await running;
    }

    [Fact]
    public void The_status_line_is_the_first_problem()
    {
        string? gossip = null;
        HealthChecks checks = new(new HealthCheck("agent", static () => null), new HealthCheck("gossip", () => gossip));
        Assert.Equal("ready in cluster x", checks.Ready().Summarize("ready in cluster x"));
        gossip = "nobody answers";
        Assert.Equal("not ready: nobody answers", checks.Ready().Summarize("ready in cluster x"));
    }

    public void Dispose()
    {
        listener.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private string Receive()
    {
        byte[] buffer = new byte[4096];
        return Encoding.UTF8.GetString(buffer, 0, listener.Receive(buffer));
    }
}

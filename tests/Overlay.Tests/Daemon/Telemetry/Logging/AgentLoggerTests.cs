using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Telemetry.Logging;

namespace Overlay.Tests.Daemon.Telemetry.Logging;

public sealed partial class AgentLoggerTests
{
    private const string Category = "Overlay.Daemon.Names.NameServer";

    [Fact]
    public void For_people() => Assert.Equal(
        """
        2026-01-02T03:04:05.678Z INFO  names: Names are served in web
        2026-01-02T03:04:05.678Z ERROR names: It broke
            System.InvalidOperationException: no way

        """,
        Lines(LogFormat.Text, static logger =>
        {
            Served(logger, "web");
            Say(logger, LogLevel.Error, "It broke", new InvalidOperationException("no way"));
        }));

    [Fact]
    public void For_journald() => Assert.Equal(
        """
        <7>names: one
        <7>names: two
        <6>names: three
        <4>names: four
        <3>names: five
        <2>names: six
        <2>    System.InvalidOperationException: no way

        """,
        Lines(LogFormat.Journald, static logger =>
        {
            Say(logger, LogLevel.Trace, "one");
            Say(logger, LogLevel.Debug, "two");
            Say(logger, LogLevel.Information, "three");
            Say(logger, LogLevel.Warning, "four");
            Say(logger, LogLevel.Error, "five");
            Say(logger, LogLevel.Critical, "six", new InvalidOperationException("no way"));
        }));

    [Fact]
    public void For_machines()
    {
        using Activity activity = new Activity("test").Start();
        string line = Lines(
            LogFormat.Json,
            static logger => Ports(logger, new InvalidOperationException("no way"), 53, "wéb", null));
        Assert.Equal(
            """{"time":"2026-01-02T03:04:05.678Z","level":"warning","msg":"Port 53 of \"wéb\" is (null)","""
            + $"\"component\":\"names\",\"node\":\"n1\",\"err\":\"System.InvalidOperationException: no way\","
            + $"\"trace_id\":\"{activity.TraceId}\","
            + "\"event\":\"OVL0503\",\"fields\":{\"Port\":53,\"Name\":\"wéb\",\"State\":null}}\n",
            line);
        using JsonDocument parsed = JsonDocument.Parse(line);
        Assert.Equal(9, parsed.RootElement.EnumerateObject().Count());
    }

    [Theory]
    [InlineData(LogFormat.Text)]
    [InlineData(LogFormat.Json)]
    [InlineData(LogFormat.Journald)]
    internal void Secrets_and_forged_lines_stay_out(LogFormat format)
    {
        string lines = Lines(format, static logger => Joined(
            logger,
            new InvalidOperationException("key OVKEY-1-SECRETKEY!"),
            "OVTKN-1-abcDEF-SECRET_x",
            "a\nb\e[31m\r\0 OVTKN-1-d-SECRET2 OVKEY-"));
        Assert.DoesNotContain("SECRET", lines, StringComparison.Ordinal);
        Assert.Contains("'OVTKN-[redacted]'", lines, StringComparison.Ordinal);
        Assert.Equal(format == LogFormat.Json ? 1 : 2, lines.Count(static c => c == '\n'));
        Assert.DoesNotContain('\e', lines);
        Assert.DoesNotContain('\0', lines);
    }

    [Theory]
    [InlineData("8:123", "socket:[123]", LogFormat.Journald)]
    [InlineData("8:123", "socket:[124]", LogFormat.Text)]
    [InlineData("8:123", "/dev/pts/0", LogFormat.Text)]
    [InlineData("8:", "socket:[]", LogFormat.Text)]
    [InlineData(null, "socket:[123]", LogFormat.Text)]
    [InlineData("8:123", null, LogFormat.Text)]
    internal void Auto_is_journald_only_under_the_journal(string? stream, string? link, LogFormat expected) =>
        Assert.Equal(expected, AgentLoggerProvider.Choose(stream, link));

    [Theory]
    [InlineData("Overlay.Daemon.Names.NameServer", "names")]
    [InlineData("Overlay.Linux.KernelHost", "linux")]
    [InlineData("Microsoft.AspNetCore.Server.Kestrel", "kestrel")]
    [InlineData("overlayd", "overlayd")]
    public void Components(string category, string component) =>
        Assert.Equal(component, AgentLoggerProvider.ComponentOf(category));

    [Fact]
    public async Task A_reader_that_is_stuck_holds_nobody_up()
    {
        using StuckStream stuck = new();
        LogOutput output = new(stuck, static lost => $"lost {lost}\n");
        output.Write("first\n");
        await stuck.Entered;
        for (int i = 0; i < LogOutput.Capacity + 5; i++)
        {
            output.Write("x\n");
        }

        stuck.Release();
        await output.DisposeAsync();
        string[] lines = stuck.Text.Split('\n');
        Assert.Equal("first", lines[0]);
        Assert.Equal(LogOutput.Capacity, lines.Count(static l => l == "x"));
        Assert.Contains("lost 5", lines);
    }

    [Fact]
    public async Task A_reader_that_is_gone_is_forgotten()
    {
        using MemoryStream gone = new();
        gone.Close();
        await using LogOutput output = new(gone, static lost => $"lost {lost}\n");
        for (int i = 0; i < 100; i++)
        {
            output.Write("x\n");
        }
    }

    private static string Lines(LogFormat format, Action<ILogger> log)
    {
        using MemoryStream stream = new();
        using (AgentLoggerProvider provider = new(format, stream, new StoppedTime()) { Node = "n1" })
        {
            log(provider.CreateLogger(Category));
        }

        return System.Text.Encoding.UTF8.GetString(stream.ToArray());
    }

    [LoggerMessage(EventId = 501, Level = LogLevel.Information, Message = "Names are served in {Sandbox}")]
    private static partial void Served(ILogger logger, string sandbox);

    [LoggerMessage(EventId = 503, Level = LogLevel.Warning, Message = "Port {Port} of \"{Name}\" is {State}")]
    private static partial void Ports(ILogger logger, Exception exception, int port, string name, string? state);

    [LoggerMessage(EventId = 504, Level = LogLevel.Error, Message = "join with '{Token}' and {Other}")]
    private static partial void Joined(ILogger logger, Exception exception, string token, string other);

    private static void Say(ILogger logger, LogLevel level, string text, Exception? exception = null) =>
        logger.Log(level, default, text, exception, static (state, _) => state);

    private sealed class StoppedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);
    }

    /// <summary>A pipe whose reader sleeps until it is released.</summary>
    private sealed class StuckStream : MemoryStream
    {
        private readonly TaskCompletionSource entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Entered => entered.Task;

        public string Text => System.Text.Encoding.UTF8.GetString(ToArray());

        public void Release() => released.TrySetResult();

        public override async ValueTask WriteAsync(
            ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            entered.TrySetResult();
            await released.Task;
            Write(buffer.Span);
        }
    }
}

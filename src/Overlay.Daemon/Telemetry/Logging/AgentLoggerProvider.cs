using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Configuration;

namespace Overlay.Daemon.Telemetry.Logging;

/// <summary>
/// The agent's log on standard error: for people, as JSON, or for journald. Secrets and control characters are taken
/// out of every line.
/// </summary>
internal sealed class AgentLoggerProvider : ILoggerProvider
{
    private readonly LogFormat format;
    private readonly TimeProvider time;
    private readonly bool hasColours;
    private readonly LogOutput output;

    /// <param name="target">Where lines go; not closed.</param>
    public AgentLoggerProvider(LogFormat format, Stream target, TimeProvider time, bool hasColours = false)
    {
        this.format = format;
        this.time = time;
        this.hasColours = hasColours;
        output = new(target, DescribeLoss);
    }

    /// <summary>The node's id, once there is one; a key of the JSON lines.</summary>
    public string? Node { get; set; }

    /// <summary>Logs to standard error; <see cref="LogFormat.Auto"/> is decided by who reads it.</summary>
    public static AgentLoggerProvider ForStandardError(LogFormat format, TimeProvider time)
    {
        LogFormat chosen = format == LogFormat.Auto
            ? Choose(Environment.GetEnvironmentVariable("JOURNAL_STREAM"), StandardErrorLink())
            : format;
        bool hasColours = !Console.IsErrorRedirected
            && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        return new(chosen, Console.OpenStandardError(), time, hasColours);
    }

    /// <summary>
    /// Journald when the socket behind standard error is the one that systemd named in JOURNAL_STREAM ("device:inode",
    /// systemd.exec(5)): the variable is inherited, also by what a service starts with another standard error.
    /// </summary>
    /// <param name="link">What /proc/self/fd/2 points to: "socket:[inode]".</param>
    internal static LogFormat Choose(string? journalStream, string? link) =>
        journalStream?.Split(':') is [_, { Length: > 0 } inode] && link == $"socket:[{inode}]"
            ? LogFormat.Journald
            : LogFormat.Text;

    public ILogger CreateLogger(string categoryName) => new AgentLogger(this, ComponentOf(categoryName));

    /// <summary>
    /// Waits for the last lines, a second at most; nothing else can, since the interface is synchronous.
    /// </summary>
    public void Dispose() => output.DisposeAsync().AsTask().Wait();

    /// <summary>"names" of Overlay.Daemon.Names.NameServer, "kestrel" of Microsoft.AspNetCore.Server.Kestrel.</summary>
    internal static string ComponentOf(string category)
    {
        string[] parts = category.Split('.');
        string part = parts switch
        {
            ["Overlay", "Daemon", var folder, _, ..] => folder,
            ["Overlay", var room, ..] => room,
            _ => parts[^1],
        };
        return Redaction.Clean(part).ToLowerInvariant();
    }

    private static string? StandardErrorLink()
    {
        try
        {
            return new FileInfo("/proc/self/fd/2").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without /proc it can not be told: text is right for everybody.
            return null;
        }
    }

    private string DescribeLoss(long count) => Render(new(
        time.GetUtcNow(),
        LogLevel.Warning,
        901,
        "log",
        $"{count} log lines were dropped: the reader is too slow",
        [],
        null,
        null));

    private string Render(in LogRecord record) => LogLine.Format(format, in record, Node, hasColours);

    private sealed class AgentLogger(AgentLoggerProvider provider, string component) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            Activity? activity = Activity.Current;
            provider.output.Write(provider.Render(new(
                provider.time.GetUtcNow(),
                logLevel,
                eventId.Id,
                component,
                Redaction.Clean(formatter(state, exception)),
                state as IReadOnlyList<KeyValuePair<string, object?>> ?? [],
                exception,
                activity?.TraceId.ToHexString())));
        }
    }
}

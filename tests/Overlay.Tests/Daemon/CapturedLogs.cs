using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Agent;

namespace Overlay.Tests.Daemon;

/// <summary>Keeps every line that the agent's own levels let through, with exceptions written out.</summary>
internal sealed class CapturedLogs : ILoggerProvider
{
    private readonly ConcurrentQueue<Line> lines = new();

    public CapturedLogs() => Factory = LoggerFactory.Create(builder =>
    {
        // The most talkative level: what holds here holds with fewer lines.
        AgentLogging.SetLevels(builder, LogLevel.Trace);
        builder.AddProvider(this);
    });

    public sealed record Line(string Category, LogLevel Level, string Text);

    public ILoggerFactory Factory { get; }

    public IReadOnlyList<Line> Lines => [.. lines];

    public IReadOnlyList<string> Warnings => [.. lines.Where(static l => l.Level >= LogLevel.Warning).Select(static l => l.Text)];

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, lines);

    public void Dispose()
    {
        // Nothing is held; the factory disposes of its providers, this one among them.
    }

    private sealed class Logger(string category, ConcurrentQueue<Line> lines) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue(new(category, logLevel, $"{formatter(state, exception)} {exception}".TrimEnd()));
    }
}

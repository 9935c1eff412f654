using Microsoft.Extensions.Logging;

namespace Overlay.Daemon.Telemetry.Logging;

/// <summary>One event as the formats need it.</summary>
/// <param name="Component">The room or part it came from: "names", "gossip", "kestrel".</param>
/// <param name="Message">One line, without secrets.</param>
/// <param name="Fields">The values of the message's placeholders, in their order.</param>
internal readonly record struct LogRecord(
    DateTimeOffset Time,
    LogLevel Level,
    int EventId,
    string Component,
    string Message,
    IReadOnlyList<KeyValuePair<string, object?>> Fields,
    Exception? Exception,
    string? TraceId);

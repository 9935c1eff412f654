using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Configuration;

namespace Overlay.Daemon.Telemetry.Logging;

/// <summary>
/// Turns a record into its line or lines: for people, as JSON (keys time, level, msg, component, node, err, trace_id,
/// event and the message's own values), or for journald with the priority prefix of sd-daemon(3) and no time, which the
/// journal has itself.
/// </summary>
internal static class LogLine
{
    private const int MaxException = 16_384;

    private static readonly JsonWriterOptions JsonOptions =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Format(LogFormat format, in LogRecord record, string? node, bool hasColours) => format switch
    {
        LogFormat.Json => Json(in record, node),
        LogFormat.Journald => Journal(in record),
        _ => Text(in record, hasColours),
    };

    private static string Text(in LogRecord record, bool hasColours)
    {
        (string name, string colour) = record.Level switch
        {
            LogLevel.Critical => ("FATAL", "\e[1;31m"),
            LogLevel.Error => ("ERROR", "\e[31m"),
            LogLevel.Warning => ("WARN ", "\e[33m"),
            LogLevel.Information => ("INFO ", "\e[32m"),
            LogLevel.Debug => ("DEBUG", "\e[36m"),
            _ => ("TRACE", "\e[90m"),
        };
        StringBuilder line = new(160);
        line.Append(Time(record.Time)).Append(' ');
        line.Append(hasColours ? $"{colour}{name}\e[0m" : name).Append(' ');
        line.Append(record.Component).Append(": ").Append(record.Message).Append('\n');
        foreach (string detail in Details(record.Exception))
        {
            line.Append("    ").Append(detail).Append('\n');
        }

        return line.ToString();
    }

    private static string Journal(in LogRecord record)
    {
        char priority = record.Level switch
        {
            LogLevel.Critical => '2',
            LogLevel.Error => '3',
            LogLevel.Warning => '4',
            LogLevel.Information => '6',
            _ => '7',
        };
        StringBuilder lines = new(160);
        lines.Append('<').Append(priority).Append('>')
            .Append(record.Component).Append(": ").Append(record.Message).Append('\n');
        foreach (string detail in Details(record.Exception))
        {
            lines.Append('<').Append(priority).Append(">    ").Append(detail).Append('\n');
        }

        return lines.ToString();
    }

    private static string Json(in LogRecord record, string? node)
    {
        using MemoryStream stream = new(256);
        using (Utf8JsonWriter json = new(stream, JsonOptions))
        {
            json.WriteStartObject();
            json.WriteString("time", Time(record.Time));
            json.WriteString("level", record.Level switch
            {
                LogLevel.Critical => "fatal",
                LogLevel.Error => "error",
                LogLevel.Warning => "warning",
                LogLevel.Information => "info",
                LogLevel.Debug => "debug",
                _ => "trace",
            });
            json.WriteString("msg", record.Message);
            json.WriteString("component", record.Component);
            WriteIfAny(json, "node", node);
            WriteIfAny(json, "err", record.Exception is null ? null : string.Join('\n', Details(record.Exception)));
            WriteIfAny(json, "trace_id", record.TraceId);
            if (record.EventId != 0)
            {
                json.WriteString("event", $"OVL{record.EventId:D4}");
            }

            WriteFields(json, record.Fields);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length);
    }

    private static void WriteFields(Utf8JsonWriter json, IReadOnlyList<KeyValuePair<string, object?>> fields)
    {
        if (fields.All(static f => f.Key == "{OriginalFormat}"))
        {
            return;
        }

        json.WriteStartObject("fields");
        foreach ((string key, object? value) in fields)
        {
            if (key == "{OriginalFormat}")
            {
                continue;
            }

            json.WritePropertyName(key);
            switch (value)
            {
                case null:
                    json.WriteNullValue();
                    break;
                case bool flag:
                    json.WriteBooleanValue(flag);
                    break;
                case int or long or uint or ushort or byte or short:
                    json.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                    break;
                default:
                    json.WriteStringValue(Redaction.Clean(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
                    break;
            }
        }

        json.WriteEndObject();
    }

    private static void WriteIfAny(Utf8JsonWriter json, string key, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            json.WriteString(key, value);
        }
    }

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>The exception's lines, cleaned one by one.</summary>
    private static IEnumerable<string> Details(Exception? exception)
    {
        string text = exception?.ToString() ?? "";
        text = text.Length <= MaxException ? text : text[..MaxException];
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => Redaction.Clean(l.Trim()));
    }
}

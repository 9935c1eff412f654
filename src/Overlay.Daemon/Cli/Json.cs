using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;

namespace Overlay.Daemon.Cli;

/// <summary>
/// The JSON of --format json: the proto3 JSON mapping of the response messages, indented, every scalar field always
/// there (so keys are stable), 64-bit integers as strings. A listing and an inspection is one array; any other answer
/// one object.
/// </summary>
internal static class Json
{
    private static readonly JsonWriterOptions Indented = new()
    {
        Indented = true,
        IndentSize = 2,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static string Array(IEnumerable<IMessage> messages)
    {
        JsonFormatter formatter = Formatter();
        return Indent($"[{string.Join(',', messages.Select(message => formatter.Format(message)))}]");
    }

    public static string Object(IMessage message) => Indent(Formatter().Format(message));

    /// <summary>One array of objects whose values are all strings: what is no message of the contract.</summary>
    public static string Rows(IEnumerable<IReadOnlyList<(string Key, string Value)>> rows)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, Indented))
        {
            writer.WriteStartArray();
            foreach (IReadOnlyList<(string Key, string Value)> row in rows)
            {
                writer.WriteStartObject();
                foreach ((string key, string value) in row)
                {
                    writer.WriteString(key, value);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static JsonFormatter Formatter() => new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    private static string Indent(string compact)
    {
        using JsonDocument document = JsonDocument.Parse(compact);
        using MemoryStream stream = new();
        using (Utf8JsonWriter writer = new(stream, Indented))
        {
            document.WriteTo(writer);
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}

using System.Text.Json;

namespace Overlay.Simulation.Linearizability;

/// <summary>
/// A history of registers as a file: a JSON object a line, in any order.
/// <c>{"client":"c1","invoke":12,"return":15,"op":"write","key":"k","value":"a","outcome":"ok"}</c>.
/// <para>op: read, write, cas (with "expected"), delete. value: of a write or cas what is written; of a read what was
/// seen; null or absent: the key is not there. Times are of one clock for all clients, in any unit, whole numbers.
/// outcome: ok; fail (a cas that found something else than it expected: it must not have been so); none (refused, certainly
/// not done: left out); unknown (no answer, it may be done at any time or never; "return" is not needed).</para>
/// </summary>
internal static class HistoryFile
{
    private const int MostLines = 1_000_000;

    /// <param name="keys">The names of the keys, by their numbers in the operations.</param>
    /// <exception cref="FormatException">With the line.</exception>
    public static List<Operation<RegisterInput, RegisterOutput>> Read(IEnumerable<string> lines, out List<string> keys)
    {
        List<Operation<RegisterInput, RegisterOutput>> history = [];
        Dictionary<string, int> clients = new(StringComparer.Ordinal);
        Dictionary<string, int> keyNumbers = new(StringComparer.Ordinal);
        Dictionary<string, int> values = new(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in lines)
        {
            number++;
            if (line.AsSpan().Trim().IsEmpty || line[0] == '#')
            {
                continue;
            }

            try
            {
                using JsonDocument document = JsonDocument.Parse(line);
                if (Read(document.RootElement, clients, keyNumbers, values) is { } operation)
                {
                    history.Add(operation);
                }
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw new FormatException($"line {number}: {e.Message}", e);
            }

            if (history.Count > MostLines)
            {
                throw new FormatException($"line {number}: more than {MostLines} operations");
            }
        }

        keys = [.. keyNumbers.OrderBy(static k => k.Value).Select(static k => k.Key)];
        return history;
    }

    private static Operation<RegisterInput, RegisterOutput>? Read(
        JsonElement line, Dictionary<string, int> clients, Dictionary<string, int> keys, Dictionary<string, int> values)
    {
        string outcome = Text(line, "outcome");
        string op = Text(line, "op");
        bool unknown = outcome == "unknown";
        if (outcome is not ("ok" or "fail" or "none" or "unknown"))
        {
            throw new FormatException($"outcome is ok, fail, none or unknown, not {outcome}");
        }

        long value = Number(values, line, "value");
        long invoke = line.GetProperty("invoke").GetInt64();
        long answered = unknown ? Operation<RegisterInput, RegisterOutput>.NoAnswer : line.GetProperty("return").GetInt64();
        if (answered < invoke)
        {
            throw new FormatException($"it returns at {answered}, before it is invoked at {invoke}");
        }

        (RegisterInput Input, RegisterOutput Output) what = op switch
        {
            "read" => (new(RegisterVerb.Read, 0), new(value)),
            "write" => (new(RegisterVerb.Write, value), new(0)),
            "delete" => (new(RegisterVerb.Write, 0), new(0)),
            "cas" => (new(RegisterVerb.Swap, value, Number(values, line, "expected")), new(0, outcome != "fail")),
            _ => throw new FormatException($"op is read, write, cas or delete, not {op}"),
        };
        if (outcome == "fail" && op != "cas")
        {
            throw new FormatException($"only a cas can fail; a {op} that was refused has the outcome none");
        }

        int client = Number(clients, Text(line, "client"));
        int key = Number(keys, Text(line, "key"));
        bool says = outcome != "none" && !(unknown && op == "read");
        return says ? new(client, key, what.Input, what.Output, invoke, answered) : null;
    }

    private static string Text(JsonElement line, string name)
    {
        JsonElement value = line.GetProperty(name);
        return value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
    }

    /// <summary>0: it is not there.</summary>
    private static long Number(Dictionary<string, int> values, JsonElement line, string name) =>
        line.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null ? 1 + Number(values, Text(line, name)) : 0;

    private static int Number(Dictionary<string, int> numbers, string text)
    {
        if (!numbers.TryGetValue(text, out int number))
        {
            number = numbers.Count;
            numbers[text] = number;
        }

        return number;
    }
}

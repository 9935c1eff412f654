using System.Text.Json;

namespace Overlay.Daemon.Configuration;

/// <summary>
/// The settings file: one JSON object whose keys are names of settings. Strict: no comments, no trailing commas, no
/// unknown and no repeated keys, and every problem is reported, not only the first.
/// </summary>
internal static class ConfigurationFile
{
    public const int MaximumBytes = 1 << 20;

    private static readonly JsonDocumentOptions Strict = new()
    {
        AllowTrailingCommas = false,
        CommentHandling = JsonCommentHandling.Disallow,
        MaxDepth = 8,
    };

    /// <summary>Reads the bytes of a file; <paramref name="path"/> is only for the problems' texts.</summary>
    public static SettingTexts Parse(string path, ReadOnlyMemory<byte> bytes, List<SettingProblem> problems)
    {
        SortedDictionary<string, IReadOnlyList<string>> texts = new(StringComparer.Ordinal);
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes, Strict);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty property in document.RootElement.EnumerateObject())
                {
                    Take(path, property, texts, problems);
                }
            }
            else
            {
                problems.Add(new(path, "is not a JSON object: begin it with '{'"));
            }
        }
        catch (JsonException error)
        {
            problems.Add(
                new(path, $"is not valid JSON at line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}"));
        }

        return new(SettingOrigin.File, texts);
    }

    private static void Take(
        string path,
        JsonProperty property,
        SortedDictionary<string, IReadOnlyList<string>> texts,
        List<SettingProblem> problems)
    {
        string key = Shown(property.Name);
        Setting? setting = SettingCatalog.All.FirstOrDefault(s => s.Name == property.Name);
        if (setting is null || setting == SettingCatalog.ConfigurationFile)
        {
            string? near = Spelling.Nearest(property.Name, SettingCatalog.All.Skip(1).Select(static s => s.Name));
            problems.Add(
                new($"{key} in {path}", near is null ? "is not a setting" : $"is not a setting: did you mean {near}?"));
        }
        else if (texts.ContainsKey(setting.Name))
        {
            problems.Add(new($"{key} in {path}", "is there twice"));
        }
        else if (TryTexts(setting, property.Value, out IReadOnlyList<string> values, out string why))
        {
            texts.Add(setting.Name, values);
        }
        else
        {
            problems.Add(new($"{key} in {path}", why));
        }
    }

    private static bool TryTexts(Setting setting, JsonElement element, out IReadOnlyList<string> values, out string why)
    {
        values = [];
        why = "";
        if (element.ValueKind == JsonValueKind.Array && setting.IsList)
        {
            List<string> all = [];
            foreach (JsonElement item in element.EnumerateArray())
            {
                if (Text(item) is not { } text)
                {
                    why = "has an element that is neither a string nor a number";
                    return false;
                }

                all.Add(text);
            }

            values = all;
            return true;
        }

        if (Text(element) is { } single)
        {
            values = [single];
            return true;
        }

        why = setting.IsList ? "must be an array of strings" : "must be a string or a number";
        return false;
    }

    private static string? Text(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => element.GetRawText(),
        _ => null,
    };

    private static string Shown(string key) => key.Length <= 40 ? key : string.Concat(key.AsSpan(0, 40), "…");
}

namespace Overlay.Daemon.Configuration;

/// <summary>
/// One setting of the agent. A single name serves everywhere: <c>gossip-port</c> is the key in the file,
/// <c>--gossip-port</c> the flag and <c>OVERLAYD_GOSSIP_PORT</c> the environment variable.
/// </summary>
internal abstract class Setting(string name, string valueName, string help, bool isList)
{
    public string Name { get; } = name;

    /// <summary>What stands for the value in help texts: PORT, DIR, DURATION.</summary>
    public string ValueName { get; } = valueName;

    public string Help { get; } = help;

    /// <summary>Several values: a repeated flag, an array in the file, commas in the environment.</summary>
    public bool IsList { get; } = isList;

    /// <summary>The default as a user would write it, one text per value.</summary>
    public required IReadOnlyList<string> DefaultTexts { get; init; }

    public string Flag => "--" + Name;

    public string EnvironmentName => "OVERLAYD_" + Name.Replace('-', '_').ToUpperInvariant();

    /// <summary>Reads the texts of one origin; on failure <paramref name="why"/> is a clause for the user.</summary>
    public abstract bool TryRead(IReadOnlyList<string> texts, out object value, out string why);
}

/// <summary>Reads one text as a <typeparamref name="T"/>, or says in a clause why it is none.</summary>
internal delegate bool SettingParser<T>(string text, out T value, out string why);

/// <summary>A setting with exactly one value.</summary>
internal sealed class Setting<T>(string name, string valueName, string help, SettingParser<T> parser)
    : Setting(name, valueName, help, isList: false)
    where T : notnull
{
    public override bool TryRead(IReadOnlyList<string> texts, out object value, out string why)
    {
        value = "";
        if (texts.Count != 1)
        {
            why = $"takes one value, not {texts.Count}";
            return false;
        }

        bool read = parser(texts[0], out T one, out why);
        if (read)
        {
            value = one;
        }

        return read;
    }
}

/// <summary>A setting with any number of values, in the order given.</summary>
internal sealed class ListSetting<T>(string name, string valueName, string help, SettingParser<T> parser)
    : Setting(name, valueName, help, isList: true)
    where T : notnull
{
    private const int MaximumValues = 64;

    public override bool TryRead(IReadOnlyList<string> texts, out object value, out string why)
    {
        List<T> values = [];
        value = values;
        if (texts.Count > MaximumValues)
        {
            why = $"has {texts.Count} values: at most {MaximumValues} are allowed";
            return false;
        }

        foreach (string text in texts)
        {
            if (!parser(text, out T one, out why))
            {
                return false;
            }

            if (values.Contains(one))
            {
                why = $"names {text} twice";
                return false;
            }

            values.Add(one);
        }

        why = "";
        return true;
    }
}

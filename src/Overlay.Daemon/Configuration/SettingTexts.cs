namespace Overlay.Daemon.Configuration;

/// <summary>Unread values of one origin, by the name of the setting.</summary>
internal sealed record SettingTexts(SettingOrigin Origin, IReadOnlyDictionary<string, IReadOnlyList<string>> ByName)
{
    public static SettingTexts None(SettingOrigin origin) =>
        new(origin, new SortedDictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal));

    /// <summary>The OVERLAYD_* variables; an empty one counts as absent.</summary>
    public static SettingTexts FromEnvironment(Func<string, string?> environment)
    {
        SortedDictionary<string, IReadOnlyList<string>> texts = new(StringComparer.Ordinal);
        foreach (Setting setting in SettingCatalog.All)
        {
            if (environment(setting.EnvironmentName) is { Length: > 0 } text)
            {
                texts.Add(setting.Name, setting.IsList ? text.Split(',', StringSplitOptions.TrimEntries) : [text]);
            }
        }

        return new(SettingOrigin.Environment, texts);
    }
}

using System.Globalization;
using Overlay.Gossip;

namespace Overlay.Daemon.Configuration;

/// <summary>One constant of gossip as a setting: without a value of its own it has that of the profile.</summary>
internal sealed class GossipConstant
{
    private readonly Func<SwimOptions, object, SwimOptions> apply;
    private readonly Func<SwimOptions, string> text;

    private GossipConstant(Setting setting, Func<SwimOptions, string> text, Func<SwimOptions, object, SwimOptions> apply)
    {
        Setting = setting;
        this.text = text;
        this.apply = apply;
    }

    public Setting Setting { get; }

    public string TextIn(SwimOptions profile) => text(profile);

    public SwimOptions Apply(SwimOptions options, object value) => apply(options, value);

    /// <param name="name">Without "gossip-".</param>
    /// <param name="least">In milliseconds, as is the next.</param>
    public static GossipConstant Time(
        string name, string help, long least, long most, Func<SwimOptions, TimeSpan> get, Func<SwimOptions, TimeSpan, SwimOptions> set) =>
        new(
            new Setting<TimeSpan>("gossip-" + name, "DURATION", help + FromProfile, Range(least, most)) { DefaultTexts = [] },
            options => DurationText.Format(get(options)),
            (options, value) => set(options, (TimeSpan)value));

    /// <param name="name">Without "gossip-".</param>
    public static GossipConstant Number(
        string name, string help, int least, int most, Func<SwimOptions, int> get, Func<SwimOptions, int, SwimOptions> set) =>
        new(
            new Setting<int>("gossip-" + name, "NUMBER", help + FromProfile, Numbers(least, most)) { DefaultTexts = [] },
            options => get(options).ToString(CultureInfo.InvariantCulture),
            (options, value) => set(options, (int)value));

    private const string FromProfile = " [default: the profile's]";

    private static SettingParser<TimeSpan> Range(long least, long most) => (string text, out TimeSpan value, out string why) =>
    {
        if (!DurationText.TryParse(text, out value))
        {
            why = $"is '{text}', which is not a duration: write it like 500ms, 30s, 5m or 1h30m";
            return false;
        }

        bool valid = value.TotalMilliseconds >= least && value.TotalMilliseconds <= most;
        why = valid ? "" : $"is '{text}': use {Milliseconds(least)} to {Milliseconds(most)}";
        return valid;
    };

    private static SettingParser<int> Numbers(int least, int most) => (string text, out int value, out string why) =>
    {
        bool valid = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most;
        why = valid ? "" : $"is '{text}': use a number from {least} to {most}";
        return valid;
    };

    private static string Milliseconds(long value) => DurationText.Format(TimeSpan.FromMilliseconds(value));
}

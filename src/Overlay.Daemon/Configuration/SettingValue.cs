namespace Overlay.Daemon.Configuration;

/// <summary>The text a setting ended up with, and where that came from.</summary>
internal sealed record SettingValue(string Name, string Text, SettingOrigin Origin);

namespace Overlay.Daemon.Configuration;

/// <summary>Where a value came from, weakest first: a later origin overrides an earlier one.</summary>
internal enum SettingOrigin
{
    Default,

    /// <summary>Of the chosen gossip profile.</summary>
    Profile,
    File,
    Environment,
    Flag,
}

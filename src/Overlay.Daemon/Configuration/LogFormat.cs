namespace Overlay.Daemon.Configuration;

/// <summary>The shape of the agent's log lines.</summary>
internal enum LogFormat
{
    /// <summary>Journald under systemd, text elsewhere.</summary>
    Auto,
    Text,
    Json,

    /// <summary>Text with the priority prefix of sd-daemon(3).</summary>
    Journald,
}

namespace Overlay.Daemon.Configuration;

/// <summary>One thing wrong with the settings: the place to correct it, and a clause that says what is wrong.</summary>
/// <param name="Place">As the user knows it: "--gossip-port", "OVERLAYD_GOSSIP_PORT", "gossip-port in FILE".</param>
/// <param name="Why">A clause without a full stop: "is not a port: use 1 to 65535".</param>
internal sealed record SettingProblem(string Place, string Why)
{
    public override string ToString() => $"{Place} {Why}";
}

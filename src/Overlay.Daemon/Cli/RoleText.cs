using Overlay.V1;

namespace Overlay.Daemon.Cli;

/// <summary>Roles as people write them.</summary>
internal static class RoleText
{
    public static string Of(NodeRole role) => role switch
    {
        NodeRole.Manager => "manager",
        NodeRole.Worker => "worker",
        _ => "unknown",
    };

    public static NodeRole Parse(string text) => text switch
    {
        "manager" => NodeRole.Manager,
        "worker" => NodeRole.Worker,
        _ => NodeRole.Unspecified,
    };
}

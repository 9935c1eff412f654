using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>What a node's certificate says of its role.</summary>
internal static class NodeCertificates
{
    /// <summary>A node that was demoted is needed by the other managers until they go on without it.</summary>
    public static NodeRole RoleOf(NodeObject node) =>
        node.Role == NodeRole.Manager || node.MemberId != 0 ? NodeRole.Manager : NodeRole.Worker;
}

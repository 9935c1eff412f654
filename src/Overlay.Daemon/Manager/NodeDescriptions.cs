using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>What a node says of itself, as the store keeps it. Role and labels are not the node's to say.</summary>
internal static class NodeDescriptions
{
    public static NodeObject ToNode(NodeId id, NodeDescription description)
    {
        NodeObject node = new()
        {
            Id = id.ToString(),
            Hostname = description.Hostname,
            GossipAddress = description.GossipAddress,
            DataPathAddress = description.DataPathAddress,
            ControlAddress = description.ControlAddress,
            AgentVersion = description.AgentVersion,
            MemberId = description.MemberId,
        };
        node.Routes.AddRange(description.Routes);
        return node;
    }
}

using System.Security.Cryptography;
using Overlay.Cluster;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>Gives a machine that proved its token a place in the store.</summary>
internal sealed class NodeAdmission(ManagerLoop manager) : INodeAdmission
{
    public ClusterObject Cluster => manager.State.Cluster!;

    public async Task<Outcome<NodeObject>> AdmitAsync(NodeDescription description, NodeRole role, CancellationToken cancellationToken)
    {
        NodeId id = new(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1);
        NodeObject node = NodeDescriptions.ToNode(id, description);
        node.Role = role;
        return await manager.ProposeAsync(intent => intent.AddNode(node), "", cancellationToken);
    }
}

using System.Security.Cryptography;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>Where nodes get their place in the store, and say what they are; the leader writes it, whichever manager is asked.</summary>
internal sealed class NodeRegistry(ManagerLoop loop, LeaderProxy leader) : INodeAdmission
{
    public ClusterObject Cluster => loop.State.Cluster!;

    public async Task<Outcome<NodeObject>> AdmitAsync(NodeDescription description, NodeRole role, CancellationToken cancellationToken)
    {
        NodeObject node = NodeDescriptions.ToNode(new(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1), description);
        node.Role = role;
        // Its first session has nothing to add then, and a join is one write.
        node.RootDigest = ClusterAuthority.RootDigestOf(Cluster);
        if (loop.Leadership.View.IsLeader)
        {
            return await AddAsync(node, cancellationToken);
        }

        AdmitNodeResponse? admitted = await leader.CallAsync(
            "/overlay.v1.Control/AdmitNode", new AdmitNodeRequest { Node = node }, AdmitNodeResponse.Parser, cancellationToken);
        return admitted is { Node: { } made } ? made : await AddAsync(node, cancellationToken);
    }

    /// <summary>On the leader. The id makes a repetition harmless.</summary>
    public Task<Outcome<NodeObject>> AddAsync(NodeObject node, CancellationToken cancellationToken) =>
        loop.ProposeAsync(intent => intent.AddNode(node), $"admit-{node.Id}", cancellationToken);

    /// <exception cref="Grpc.Core.RpcException">It cannot be written now, or is refused.</exception>
    public async Task DescribeAsync(NodeObject told, CancellationToken cancellationToken)
    {
        if (loop.Leadership.View.IsLeader)
        {
            Errors.RefusalStatus.Require(await UpdateAsync(told, cancellationToken));
        }
        else if (Errors.RefusalStatus.Require(new Intent(loop.State, "", 0).UpdateNode(told)) is { IsEmpty: false })
        {
            if (await leader.CallAsync(
                "/overlay.v1.Control/DescribeNode", new DescribeNodeRequest { Node = told }, DescribeNodeResponse.Parser, cancellationToken) is null)
            {
                Errors.RefusalStatus.Require(await UpdateAsync(told, cancellationToken));
            }
        }
    }

    /// <summary>On the leader.</summary>
    public Task<Outcome<NodeObject>> UpdateAsync(NodeObject told, CancellationToken cancellationToken) =>
        loop.ProposeAsync(intent => intent.UpdateNode(told), "", cancellationToken);
}

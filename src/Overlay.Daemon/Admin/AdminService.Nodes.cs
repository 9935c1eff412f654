using System.Collections.Immutable;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>What an operator says of nodes.</summary>
internal sealed partial class AdminService
{
    public override async Task<UpdateNodeResponse> UpdateNode(UpdateNodeRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("change a node");
        Membership current = host.Current!;
        NodeEdit edit = new()
        {
            Availability = request.Availability,
            LabelsAdded = request.LabelAdd.ToImmutableSortedDictionary(StringComparer.Ordinal),
            LabelsRemoved = request.LabelRm.ToImmutableSortedSet(StringComparer.Ordinal),
        };
        string named = Named(request.Node, context);
        ulong before = 0;
        Outcome<NodeObject> edited = await manager.Loop.ProposeAsync(
            intent =>
            {
                before = manager.Loop.State.FindNode(named).TryGet(out NodeObject? node, out _) ? node.Version : 0;
                return intent.EditNode(named, edit);
            },
            "", context.CancellationToken);
        NodeObject changed = RefusalStatus.Require(edited);
        NodeObject now = manager.Loop.State.Node(changed.Id) ?? changed;
        return new()
        {
            Changed = now.Version != before,
            Node = await current.ReadAsync(node => NodeViews.Of(now, node, current.Manager, host.Services.Clock), context.CancellationToken),
        };
    }

    /// <summary>Whoever says "self" means the node it asked, also where that one passed the call on to this.</summary>
    private string Named(string text, ServerCallContext context) => text != "self"
        ? text
        : context.GetHttpContext().Features.Get<PeerPrincipal>()?.Node.ToString() ?? host.Current!.Record.NodeId;
}

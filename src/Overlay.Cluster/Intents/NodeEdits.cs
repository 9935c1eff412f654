using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>What operators say of nodes: whether they get anything new, and labels.</summary>
internal static class NodeEdits
{
    public static Outcome<Proposal<NodeObject>> Apply(ClusterState state, string text, NodeEdit edit, Draft draft)
    {
        if (!state.FindNode(text).TryGet(out NodeObject? node, out Refusal? refusal))
        {
            return refusal;
        }

        string what = $"Node {node.Hostname} ({node.Id}) was not changed.";
        if (Fault(edit, what) is { } fault)
        {
            return fault;
        }

        NodeObject changed = node.Clone();
        if (edit.Availability != NodeAvailability.Unspecified && edit.Availability != Availability.Of(node))
        {
            changed.Availability = edit.Availability;
            changed.AvailabilityUnixMs = draft.UnixMs;
            changed.DrainedUnixMs = 0;
        }

        if (LabelRules.Edit(changed.Labels, edit.LabelsAdded, edit.LabelsRemoved, what, $"overlayd node inspect {node.Hostname}") is { } unfit)
        {
            return unfit;
        }

        if (!changed.Equals(node))
        {
            draft.Update(new() { Node = changed });
        }

        return draft.Finish(changed);
    }

    public static Outcome<Proposal<NodeObject>> ConfirmDrain(ClusterState state, string id, long drain, Draft draft)
    {
        if (state.Node(id) is not { } node)
        {
            return NodeChanges.NodeUnknown(id, "The drain was not confirmed.");
        }

        if (!Availability.IsDrained(node) || drain == 0 || node.AvailabilityUnixMs != drain || node.DrainedUnixMs == drain)
        {
            return draft.Finish(node);
        }

        NodeObject changed = node.Clone();
        changed.DrainedUnixMs = drain;
        draft.Update(new() { Node = changed });
        return draft.Finish(changed);
    }

    private static Refusal? Fault(NodeEdit edit, string what)
    {
        if (edit.IsEmpty)
        {
            return new(
                RefusalKind.Invalid, what, "Nothing is to be changed.", "Use --availability, --label-add or --label-rm.");
        }

        return Enum.IsDefined(edit.Availability)
            ? null
            : new(
                RefusalKind.Invalid, what, "This version of overlayd does not know that availability.", "Use active, pause or drain.");
    }
}

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
        if (Fault(node, edit, what) is { } fault)
        {
            return fault;
        }

        NodeObject changed = node.Clone();
        if (edit.Availability != NodeAvailability.Unspecified && edit.Availability != Availability.Of(node))
        {
            changed.Availability = edit.Availability;
        }

        foreach (string gone in edit.LabelsRemoved)
        {
            changed.Labels.Remove(gone);
        }

        foreach ((string key, string value) in edit.LabelsAdded)
        {
            changed.Labels[key] = value;
        }

        if (LabelRules.Fault(changed.Labels.OrderBy(static l => l.Key, StringComparer.Ordinal), what) is { } unfit)
        {
            return unfit with { Next = "Write labels as `--label-add key=value`." };
        }

        if (!changed.Equals(node))
        {
            draft.Update(new() { Node = changed });
        }

        return draft.Finish(changed);
    }

    private static Refusal? Fault(NodeObject node, NodeEdit edit, string what)
    {
        if (edit.IsEmpty)
        {
            return new(
                RefusalKind.Invalid, what, "Nothing is to be changed.", "Use --availability, --label-add or --label-rm.");
        }

        if (!Enum.IsDefined(edit.Availability))
        {
            return new(
                RefusalKind.Invalid, what, "This version of overlayd does not know that availability.", "Use active, pause or drain.");
        }

        if (edit.LabelsRemoved.FirstOrDefault(edit.LabelsAdded.ContainsKey) is { } both)
        {
            return new(
                RefusalKind.Invalid, what, $"The label {Refusal.Quote(both)} is to be added and removed.", "Give it once.");
        }

        return edit.LabelsRemoved.FirstOrDefault(key => !node.Labels.ContainsKey(key)) is { } missing
            ? new(
                RefusalKind.NotFound, what, $"It has no label {Refusal.Quote(missing)}.",
                $"See its labels with `overlayd node inspect {node.Hostname}`.")
            : null;
    }
}

using Overlay.Dataplane;
using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>
/// Sandboxes that had an endpoint: they are others' namespaces, so that what is ours there beside the endpoint's link has to
/// be taken away, also after a restart in between.
/// </summary>
public sealed partial class Node
{
    /// <summary>With the revision of <see cref="Inputs"/> in which each was left first.</summary>
    private readonly SortedDictionary<NamespaceName, long> leftSandboxes = [];

    private void LeaveSandbox(NamespaceName sandbox, NodeEffects effects)
    {
        if (!sandbox.IsOverlay && !endpoints.Values.Any(e => e.Sandbox == sandbox))
        {
            DataplaneChanges(effects);
            leftSandboxes[sandbox] = DataplaneRevision;
        }
    }

    /// <summary>The kernel holds that revision: nothing of ours is left in those.</summary>
    private void ForgetLeftSandboxes(long revision, Instant now)
    {
        foreach (NamespaceName sandbox in leftSandboxes.Where(s => s.Value <= revision).Select(static s => s.Key).ToArray())
        {
            leftSandboxes.Remove(sandbox);
            MemorizeSoon(now);
        }
    }
}

using Google.Protobuf;
using Overlay.Cluster.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>Whether the managers' disks are locked, and by which key.</summary>
internal static class LockChanges
{
    /// <summary>Nothing changes where the cluster is locked already: the key that is known stays the right one.</summary>
    public static Outcome<Proposal<ClusterObject>> Lock(ClusterState state, ReadOnlySpan<byte> key, Draft draft) =>
        state.Cluster!.UnlockKey.IsEmpty ? Set(state, key, draft) : draft.Finish(state.Cluster);

    public static Outcome<Proposal<ClusterObject>> Unlock(ClusterState state, Draft draft) =>
        state.Cluster!.UnlockKey.IsEmpty ? draft.Finish(state.Cluster) : Set(state, [], draft);

    public static Outcome<Proposal<ClusterObject>> Rotate(ClusterState state, ReadOnlySpan<byte> key, Draft draft) =>
        state.Cluster!.UnlockKey.IsEmpty
            ? new Refusal(
                RefusalKind.Conflict, "The unlock key was not replaced.", "This cluster is not locked, so it has none.",
                "Type `overlayd update --autolock=true` to lock it.")
            : Set(state, key, draft);

    private static Outcome<Proposal<ClusterObject>> Set(ClusterState state, ReadOnlySpan<byte> key, Draft draft)
    {
        Invariant.Holds(key.Length is 0 or UnlockKey.SecretBytes, "an unlock key has 32 bytes");
        ClusterObject cluster = state.Cluster!.Clone();
        cluster.UnlockKey = ByteString.CopyFrom(key);
        draft.Update(new() { Cluster = cluster });
        return draft.Finish(cluster);
    }
}

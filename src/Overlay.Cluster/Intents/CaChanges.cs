using System.Security.Cryptography;
using Google.Protobuf;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>The cluster's root, and the steps in which another takes its place.</summary>
internal static class CaChanges
{
    public static Outcome<Proposal<ClusterObject>> Begin(
        ClusterState state, ReadOnlySpan<byte> certificate, ReadOnlySpan<byte> key, ReadOnlySpan<byte> cross, Draft draft)
    {
        Invariant.Holds(certificate.Length > 0 && key.Length > 0 && cross.Length > 0, "a root has a certificate, a key and a cross certificate");
        if (state.Cluster!.CaRotation is not null)
        {
            CaProgress progress = CaProgress.Of(state)!;
            return new Refusal(
                RefusalKind.Conflict, "The root was not replaced.",
                $"Another one is on its way: {progress.Done} of {progress.Nodes} nodes have it, and {progress.WaitingText}.",
                "Start the agents that are missed, or type `overlayd node rm --force NODE` for nodes that are gone; "
                + "`overlayd ca show` tells how far it is.");
        }

        ClusterObject cluster = state.Cluster.Clone();
        cluster.CaRotation = new()
        {
            CaCertificate = ByteString.CopyFrom(certificate),
            CaKey = ByteString.CopyFrom(key),
            CrossCertificate = ByteString.CopyFrom(cross),
            StartedUnixMs = draft.UnixMs,
        };
        draft.Update(new() { Cluster = cluster });
        return draft.Finish(cluster);
    }

    public static Outcome<Proposal<ClusterObject>> Finish(ClusterState state, Draft draft)
    {
        ClusterObject cluster = state.Cluster!.Clone();
        if (CaProgress.Of(state) is { IsComplete: true })
        {
            cluster.CaCertificate = cluster.CaRotation.CaCertificate;
            cluster.CaKey = cluster.CaRotation.CaKey;
            cluster.CaRotation = null;
            draft.Update(new() { Cluster = cluster });
        }

        return draft.Finish(cluster);
    }

    /// <summary>What a node keeps of a root, to be compared.</summary>
    public static ByteString DigestOf(ByteString certificate) => ByteString.CopyFrom(SHA256.HashData(certificate.Span));
}

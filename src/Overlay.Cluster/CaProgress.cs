using System.Collections.Immutable;
using Google.Protobuf;
using Overlay.Cluster.Intents;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>How far a new root is on its way to the nodes.</summary>
/// <param name="Nodes">All there are.</param>
/// <param name="Missing">Those that have not come with a certificate of its key.</param>
public sealed record CaProgress(int Nodes, ImmutableArray<NodeObject> Missing)
{
    private const int NamesShown = 5;

    public int Done => Nodes - Missing.Length;

    public bool IsComplete => Missing.IsEmpty;

    /// <summary>"host2 and host3 are missing".</summary>
    public string WaitingText => Missing.Length switch
    {
        0 => "nobody is missing",
        1 => $"{Missing[0].Hostname} is missing",
        <= NamesShown => $"{string.Join(", ", Missing[..^1].Select(static n => n.Hostname))} and {Missing[^1].Hostname} are missing",
        _ => $"{string.Join(", ", Missing[..NamesShown].Select(static n => n.Hostname))} and {Missing.Length - NamesShown} more are missing",
    };

    /// <summary>Null: no new root is on its way.</summary>
    public static CaProgress? Of(ClusterState state)
    {
        if (state.Cluster?.CaRotation is not { } rotation)
        {
            return null;
        }

        ByteString wanted = CaChanges.DigestOf(rotation.CaCertificate);
        return new(state.NodeCount, [.. state.Nodes.Where(node => node.RootDigest != wanted)]);
    }
}

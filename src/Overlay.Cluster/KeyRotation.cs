using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// When the next step of replacing the gossip key is due. A key is given to every node before anybody seals with it, and
/// a revoked one is taken away after nobody seals with it, so that no packet of a node that lives ever comes to one that
/// cannot open it. Who does not confirm a step is waited for <see cref="Patience"/>; it recovers by its session.
/// </summary>
/// <param name="interval">The longest that one key seals; zero: for ever.</param>
public sealed class KeyRotation(TimeSpan interval)
{
    /// <summary>How long one step waits for those that live and do not confirm it.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>How long packets may still be under way when all have confirmed.</summary>
    public static readonly TimeSpan Settle = TimeSpan.FromSeconds(1);

    private ulong seen;
    private Instant since;
    private Instant? heldSince;

    /// <summary>The nodes that live and have not confirmed the keys as they are.</summary>
    /// <param name="confirmed">The version of the store that a node's gossip goes by; 0: unknown.</param>
    /// <param name="lives">Whether a node gossips, by its id.</param>
    public static IEnumerable<NodeObject> Missing(ClusterState state, Func<string, ulong> confirmed, Func<string, bool> lives) =>
        state.Nodes.Where(node => confirmed(node.Id) < state.Cluster!.Version && lives(node.Id));

    /// <summary>What to propose now.</summary>
    /// <param name="held">Everybody who is to have taken the last step has.</param>
    public KeyStep Next(ClusterState state, bool held, Instant now, long unixMs)
    {
        ClusterObject cluster = state.Cluster!;
        if (cluster.GossipRotation is not { } rotation)
        {
            return interval > TimeSpan.Zero && unixMs - cluster.GossipKeys[0].CreatedUnixMs >= interval.TotalMilliseconds
                ? KeyStep.Begin
                : KeyStep.None;
        }

        if (rotation.Wanted)
        {
            return KeyStep.Begin;
        }

        if (seen != cluster.Version)
        {
            (seen, since, heldSince) = (cluster.Version, now, null);
        }

        heldSince = held ? heldSince ?? now : null;
        return now - since < Patience && !(now - heldSince >= Settle) ? KeyStep.None
            : rotation.Used ? KeyStep.Finish
            : KeyStep.Use;
    }
}

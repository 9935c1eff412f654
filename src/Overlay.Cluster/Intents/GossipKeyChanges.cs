using Google.Protobuf;
using Google.Protobuf.Collections;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>The keys that seal gossip, and the steps in which one takes the place of another.</summary>
internal static class GossipKeyChanges
{
    public static Outcome<Proposal<ClusterObject>> Begin(
        ClusterState state, ReadOnlySpan<byte> key, string reason, Draft draft)
    {
        Invariant.Holds(key.Length == Limits.GossipKeyBytes, "a gossip key has 32 bytes");
        ClusterObject cluster = state.Cluster!.Clone();
        if (cluster.GossipRotation is { Wanted: false, Reason: var other })
        {
            return new Refusal(
                RefusalKind.Conflict, "The gossip key was not changed.", $"A new key is on its way already ({other}).",
                "Type `overlayd gossip keys` to see how far it is.");
        }

        RepeatedField<GossipKey> keys = cluster.GossipKeys;
        GossipKey next = new()
        {
            Key = ByteString.CopyFrom(key),
            Epoch = keys.Max(static k => k.Epoch) + 1,
            CreatedUnixMs = draft.UnixMs,
        };
        if (cluster.GossipRotation is { Epoch: var coming, Used: false } && Find(keys, coming) is var given and > 0)
        {
            // Nobody seals with it yet, so nobody misses it.
            keys.RemoveAt(given);
        }

        while (keys.Count >= Limits.GossipKeys)
        {
            keys.RemoveAt(keys.Count - 1);
        }

        keys.Insert(1, next);
        cluster.GossipRotation = new()
        {
            Epoch = next.Epoch,
            Revoke = cluster.GossipRotation?.Revoke ?? false,
            Reason = cluster.GossipRotation?.Reason ?? reason,
        };
        draft.Update(new() { Cluster = cluster });
        return draft.Finish(cluster);
    }

    public static Outcome<Proposal<ClusterObject>> Use(ClusterState state, Draft draft)
    {
        ClusterObject cluster = state.Cluster!.Clone();
        if (cluster.GossipRotation is { Wanted: false, Used: false, Epoch: var epoch }
            && Find(cluster.GossipKeys, epoch) is var at and > 0)
        {
            GossipKey next = cluster.GossipKeys[at];
            cluster.GossipKeys.RemoveAt(at);
            cluster.GossipKeys.Insert(0, next);
            cluster.GossipRotation.Used = true;
            draft.Update(new() { Cluster = cluster });
        }

        return draft.Finish(cluster);
    }

    public static Outcome<Proposal<ClusterObject>> Finish(ClusterState state, Draft draft)
    {
        ClusterObject cluster = state.Cluster!.Clone();
        if (cluster.GossipRotation is { Wanted: false, Used: true, Revoke: var revoke })
        {
            while (revoke && cluster.GossipKeys.Count > 1)
            {
                cluster.GossipKeys.RemoveAt(1);
            }

            cluster.GossipRotation = null;
            draft.Update(new() { Cluster = cluster });
        }

        return draft.Finish(cluster);
    }

    /// <summary>A node is removed, and knows every key there is, also one that is on its way.</summary>
    public static void Revoke(ClusterState state, NodeObject removed, Draft draft)
    {
        ClusterObject cluster = state.Cluster!.Clone();
        cluster.GossipRotation ??= new();
        cluster.GossipRotation.Wanted = true;
        cluster.GossipRotation.Revoke = true;
        cluster.GossipRotation.Reason = $"node {removed.Hostname} was removed";
        draft.Update(new() { Cluster = cluster });
    }

    public static Outcome<Proposal<ClusterObject>> Set(ClusterState state, IReadOnlyList<byte[]> keys, Draft draft)
    {
        Invariant.Holds(
            keys.Count is > 0 and <= Limits.GossipKeys && keys.All(static k => k.Length == Limits.GossipKeyBytes), "gossip keys are usable");
        ClusterObject cluster = state.Cluster!.Clone();
        GossipKey[] before = [.. cluster.GossipKeys];
        if (before.Select(static k => k.Key).SequenceEqual(keys.Select(static k => ByteString.CopyFrom(k))))
        {
            return draft.Finish(cluster);
        }

        if (cluster.GossipRotation is { Reason: var other })
        {
            return new Refusal(
                RefusalKind.Conflict, "The gossip keys were not changed.", $"A new key is on its way already ({other}).",
                "Type `overlayd gossip keys` to see how far it is, and try again when it seals.");
        }

        ulong epoch = before.Max(static k => k.Epoch);
        cluster.GossipKeys.Clear();
        foreach (byte[] key in keys)
        {
            cluster.GossipKeys.Add(
                Array.Find(before, k => k.Key.Span.SequenceEqual(key))
                ?? new GossipKey { Key = ByteString.CopyFrom(key), Epoch = ++epoch, CreatedUnixMs = draft.UnixMs });
        }

        draft.Update(new() { Cluster = cluster });
        return draft.Finish(cluster);
    }

    private static int Find(RepeatedField<GossipKey> keys, ulong epoch)
    {
        for (int i = 0; i < keys.Count; i++)
        {
            if (keys[i].Epoch == epoch)
            {
                return i;
            }
        }

        return -1;
    }
}

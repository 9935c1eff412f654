using System.Collections.Immutable;
using Google.Protobuf;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// What one node may know of the store: every node, network and service, its own leases and reservations, and of the cluster
/// neither the root's key nor the join secrets.
/// </summary>
public static class AssignmentBuilder
{
    /// <param name="sinceVersion">
    /// What the node has applied; 0: nothing. A past that is compacted gives a complete view.
    /// </param>
    public static Assignment For(Store store, NodeId node, ulong sinceVersion)
    {
        string nodeId = node.ToString();
        return sinceVersion != 0 && store.ChangesSince(sinceVersion) is { } changes
            && store.State.Node(nodeId) is not null && !Joined(changes, nodeId)
            ? Delta(store.State, changes, nodeId)
            : Complete(store.State, nodeId);
    }

    /// <summary>Before it joined it was told nothing, so changes are not enough.</summary>
    private static bool Joined(ImmutableArray<StoreChange> changes, string nodeId) => changes.Any(change =>
        change.Actions.Any(action => action.Create?.Node?.Id == nodeId));

    /// <summary>The whole view; for a node that does not belong to the cluster it is empty.</summary>
    private static Assignment Complete(ClusterState state, string nodeId)
    {
        Assignment assignment = new() { Version = state.Version, Complete = true };
        if (state.Node(nodeId) is null)
        {
            return assignment;
        }

        assignment.Cluster = ViewOf(state.Cluster);
        assignment.Upserts.AddRange(
            state.Objects.Where(item => MayKnow(item, nodeId)).Select(item => Shown(item, nodeId)));
        return assignment;
    }

    private static Assignment Delta(ClusterState state, ImmutableArray<StoreChange> changes, string nodeId)
    {
        Assignment assignment = new() { Version = state.Version };
        SortedSet<ObjectKey> touched = [];
        foreach (StoreChange change in changes)
        {
            for (int i = 0; i < change.Actions.Length; i++)
            {
                StoreAction action = change.Actions[i];
                StoreObject? after = action.Create ?? action.Update;
                StoreObject? before = change.Previous[i];
                if ((after is not null && MayKnow(after, nodeId)) || (before is not null && MayKnow(before, nodeId)))
                {
                    touched.Add(ObjectKey.Of(after ?? before!));
                }

                if (after?.Cluster is not null)
                {
                    assignment.Cluster = ViewOf(state.Cluster);
                }
            }
        }

        foreach (ObjectKey key in touched)
        {
            if (state.Find(key) is { } present && MayKnow(present, nodeId))
            {
                assignment.Upserts.Add(Shown(present, nodeId));
            }
            else
            {
                assignment.Deletes.Add(key.ToRef());
            }
        }

        return assignment;
    }

    // What rests belongs to nobody: its owner was removed or gave it back.
    private static bool MayKnow(StoreObject item, string nodeId) => item.KindCase switch
    {
        StoreObject.KindOneofCase.Node or StoreObject.KindOneofCase.Network or StoreObject.KindOneofCase.Service => true,
        StoreObject.KindOneofCase.Lease => item.Lease.NodeId == nodeId && item.Lease.ReleasedUnixMs == 0,
        StoreObject.KindOneofCase.Reservation =>
            item.Reservation.NodeId == nodeId && item.Reservation.ReleasedUnixMs == 0,
        _ => false,
    };

    /// <summary>The routes of another host serve the managers only, and are many.</summary>
    private static StoreObject Shown(StoreObject item, string nodeId)
    {
        StoreObject copy = item.Clone();
        if (copy.KindCase == StoreObject.KindOneofCase.Node && copy.Node.Id != nodeId)
        {
            copy.Node.Routes.Clear();
        }

        return copy;
    }

    private static ClusterView? ViewOf(ClusterObject? cluster)
    {
        if (cluster is null)
        {
            return null;
        }

        ClusterView view = new()
        {
            Id = cluster.Id,
            CaCertificate = cluster.CaCertificate,
            VxlanPort = cluster.VxlanPort,
            QuarantineSeconds = cluster.QuarantineSeconds,
            Epoch = Intents.Renewal.EpochOf(cluster),
            NextCaCertificate = cluster.CaRotation?.CaCertificate ?? ByteString.Empty,
            GossipKeysRevoked = cluster.GossipRotation is { Revoke: true } rotation && (rotation.Wanted || !rotation.Used),
        };
        view.GossipKeys.AddRange(cluster.GossipKeys.Select(key => key.Clone()));
        return view;
    }
}

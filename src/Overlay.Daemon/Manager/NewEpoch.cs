using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// Begins a cluster anew with one manager: from its log with everything in it, decided or not, or from a backup. The whole
/// of it is one snapshot, which is there when its file has its name: stopped before, everything is as it was; stopped after,
/// it is done. The snapshot's index lies far behind every entry that other managers may have, so versions never go back.
/// </summary>
internal static class NewEpoch
{
    /// <summary>Others cannot have got so far ahead.</summary>
    public const ulong Leap = 1_000_000;

    /// <param name="Cluster">As it is from now on.</param>
    /// <param name="LastBefore">The last entry of the log before.</param>
    public sealed record Begun(ClusterObject Cluster, ulong LastBefore);

    /// <summary>On the log of a manager that does not run.</summary>
    /// <param name="folder">Owned from here on, and closed.</param>
    /// <param name="manager">With its id and addresses; its member id is the log's.</param>
    /// <exception cref="IOException">The log cannot be read or written; it is as it was.</exception>
    public static Outcome<Begun> Force(
        ILogFolder folder, string cluster, NodeObject manager, byte[] unlockKey, long unixMs, IEnumerable<ulong>? extraKeys = null)
    {
        using LogStore log = ManagerStorage.Open(folder, cluster, MemberId.None, unlockKey, out LogRecovery found, extraKeys);
        return found.LastIndex == 0
            ? new Refusal(
                RefusalKind.Conflict, "The cluster was not begun anew.", "This manager has nothing of the cluster's state yet.",
                "Type it on a manager that was one for longer, or restore a backup with `overlayd restore`.")
            : Install(log, StoreRecovery.Recover(found, log.Folder), found.LastIndex, manager, unixMs);
    }

    /// <summary>In a folder that holds no log.</summary>
    /// <param name="folder">Owned from here on.</param>
    /// <param name="manager">With its id, member id and addresses.</param>
    /// <param name="log">The log that was begun; null: nothing was.</param>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static Outcome<Begun> Restore(ILogFolder folder, StoreSnapshot backup, NodeObject manager, long unixMs, out LogStore? log)
    {
        Store store = Store.FromSnapshot(backup);
        log = ManagerStorage.Open(
            folder, store.State.Cluster!.Id, new(manager.MemberId), store.State.Cluster.UnlockKey.ToByteArray(), out _);
        return Install(log, store, store.Version, manager, unixMs);
    }

    private static Outcome<Begun> Install(LogStore log, Store store, ulong last, NodeObject manager, long unixMs)
    {
        MemberId self = log.Identity!.Member;
        NodeObject alone = manager.Clone();
        alone.MemberId = self.Value;
        Outcome<Proposal<ClusterObject>> renewal = new Intent(store.State, "", unixMs).BeginAnew(alone);
        if (renewal.Refusal is { } refusal)
        {
            return refusal;
        }

        ulong index = Math.Max(last, store.Version) + Leap;
        ulong term = Math.Max(log.State.Term, log.LastTerm) + 1;
        Transaction transaction = renewal.Value.Transaction;
        store.Apply(index, transaction, Crc32C.Of(transaction.ToByteArray()));
        byte[] data = store.Snapshot().ToByteArray();
        if (log.Shortage(data.Length) is { } why)
        {
            throw new IOException(why);
        }

        log.WriteState(new(term, MemberId.None, log.State.Committed));
        log.Install(new(index, term, data) { Configuration = Raft.Configuration.OfVoters(self) });
        return new Begun(store.State.Cluster!, last);
    }
}

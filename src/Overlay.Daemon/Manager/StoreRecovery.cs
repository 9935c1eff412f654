using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>The store from a log's snapshot and the transactions behind it.</summary>
internal static class StoreRecovery
{
    /// <summary>
    /// What a manager begins with: the store, the log as the core is to know it, and the state at the log's end, which may
    /// not be decided yet.
    /// </summary>
    /// <exception cref="StorageCorruptException">
    /// The bytes are as they were written, but this version cannot read them.
    /// </exception>
    public static (Store Store, RaftRecovered Recovered, ClusterState Last) Begin(LogRecovery found, LogStore log, ManagerSetup setup)
    {
        MemberId self = setup.Self.Member;
        SnapshotMark mark = found.Snapshot?.Mark ?? default;
        Raft.Configuration configuration = found.Snapshot is { Configuration.Members.IsEmpty: false } snapshot ? snapshot.Configuration
            : setup.IsFounder ? Raft.Configuration.OfVoters(self)
            : Raft.Configuration.Empty;
        // Of one manager alone everything durable is decided; of several that is learnt from the others.
        bool isAlone = configuration.Equals(Raft.Configuration.OfVoters(self))
            && !found.Entries.Any(static e => e.Kind == EntryKind.Configuration);
        Store whole = Recover(found, log.Folder);
        Store store = isAlone ? whole : FromSnapshot(found, log.Folder);
        RaftRecovered recovered = new()
        {
            State = log.State,
            Snapshot = mark,
            Configuration = configuration,
            Entries = found.Entries,
            Applied = isAlone ? log.LastIndex : mark.Index,
        };
        return (store, recovered, whole.State);
    }

    /// <summary>Everything that the log holds.</summary>
    /// <exception cref="StorageCorruptException">As above.</exception>
    public static Store Recover(LogRecovery found, string folder)
    {
        Store store = FromSnapshot(found, folder);
        foreach (LogEntry entry in found.Entries.Where(e => e.Kind == EntryKind.Data && e.Index > (found.Snapshot?.Index ?? 0)))
        {
            Read(folder, "", $"entry {entry.Index}", () => store.Apply(
                entry.Index, Transaction.Parser.ParseFrom(entry.Data.Span), Crc32C.Of(entry.Data.Span)));
        }

        return store;
    }

    /// <exception cref="InvariantException">It is none of this version: this manager cannot go on.</exception>
    public static Transaction Parse(in LogEntry entry)
    {
        try
        {
            return Transaction.Parser.ParseFrom(entry.Data.Span);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvariantException($"entry {entry.Index} is of this version of overlayd ({e.Message})");
        }
    }

    private static Store FromSnapshot(LogRecovery found, string folder) => found.Snapshot is { } snapshot
        ? Read(folder, LogNames.Snapshot(snapshot.Index), "the snapshot", () => FromSnapshot(snapshot))
        : new();

    private static Store FromSnapshot(LogSnapshot snapshot)
    {
        Store store = Store.FromSnapshot(StoreSnapshot.Parser.ParseFrom(snapshot.Data.Span));
        Invariant.Holds(store.Version <= snapshot.Index, $"a snapshot of entry {snapshot.Index} holds no later version, as {store.Version}");
        return store;
    }

    private static T Read<T>(string folder, string file, string what, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or InvariantException)
        {
            throw new StorageCorruptException(folder, file, $"{what} is not of this version of overlayd: {e.Message}");
        }
    }
}

using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>The store from a log's snapshot and the transactions behind it.</summary>
internal static class StoreRecovery
{
    /// <exception cref="StorageCorruptException">
    /// The bytes are as they were written, but this version cannot read them.
    /// </exception>
    public static Store Recover(LogRecovery found, string folder)
    {
        Store store = found.Snapshot is { } snapshot
            ? Read(folder, LogNames.Snapshot(snapshot.Index), "the snapshot", () => FromSnapshot(snapshot))
            : new();
        foreach (LogEntry entry in found.Entries)
        {
            Read(folder, "", $"entry {entry.Index}", () => store.Apply(entry.Index, Transaction.Parser.ParseFrom(entry.Data.Span)));
        }

        return store;
    }

    private static Store FromSnapshot(LogSnapshot snapshot)
    {
        Store store = Store.FromSnapshot(StoreSnapshot.Parser.ParseFrom(snapshot.Data.Span));
        Invariant.Holds(store.Version == snapshot.Index, $"a snapshot of entry {snapshot.Index} holds that version, not {store.Version}");
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

using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Storage;

internal sealed partial class LogStore
{
    /// <summary>
    /// Performs a write of the core, in the order that a crash may cut anywhere: term and vote, then the snapshot, then
    /// what is cut off and the entries in ascending order.
    /// </summary>
    /// <param name="write">What is to be done.</param>
    /// <param name="received">The snapshot that the write installs; null: it installs none.</param>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Write(in LogWrite write, LogSnapshot? received = null)
    {
        if (write.State is { } state)
        {
            WriteState(state);
        }

        Invariant.Holds(write.Install == received?.Mark, "the snapshot that is installed is at hand");
        if (received is not null)
        {
            Install(received);
        }

        if (write.TruncateFrom > 0)
        {
            CutFrom(write.TruncateFrom);
        }

        AppendAll(write.Entries);
    }

    /// <summary>Makes a snapshot of this log durable, then deletes what is kept no longer.</summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void SaveSnapshot(LogSnapshot snapshot) => Guarded(() =>
    {
        Invariant.Holds(snapshot.Index <= LastIndex && snapshot.Index > SnapshotIndex, "a snapshot is newer, and of what the log holds");
        Save(snapshot with { Member = Member, FollowedBy = 0 });
    });

    /// <summary>
    /// Takes a snapshot of another member in place of the whole log, which goes on behind it. What was before is kept until
    /// there are two newer snapshots.
    /// </summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Install(LogSnapshot snapshot) => Guarded(() =>
    {
        Invariant.Holds(snapshot.Index > SnapshotIndex, "a snapshot that is installed is newer");
        Save(snapshot with { Member = Member, FollowedBy = nextSegment });
        terms.Restart(snapshot.Mark);
        mustBeginSegment = true;
    });

    private void Save(LogSnapshot snapshot)
    {
        LogSnapshot kept = snapshot with { Key = 0, Salt = 0 };
        if (options.Keys is { } keys)
        {
            ulong salt = NewSalt();
            kept = snapshot with { Key = keys.Current.Id, Salt = salt, Data = keys.SealSnapshot(snapshot, salt) };
        }

        string name = LogNames.Snapshot(snapshot.Index);
        writing = name;
        using (ILogFile made = folder.Create(name + LogNames.UnfinishedSuffix))
        {
            made.Write(0, SnapshotFormat.Write(kept));
            made.Sync();
        }

        folder.Rename(name + LogNames.UnfinishedSuffix, name);
        folder.Sync();
        snapshots.Insert(0, snapshot.Index);
        Delete(LogRetention.Obsolete(snapshots, PresentSnapshots(), closed));
    }

    private List<ulong> PresentSnapshots()
    {
        List<ulong> present = [];
        foreach (string name in folder.Names())
        {
            if (LogNames.TryReadSnapshot(name, out ulong index))
            {
                present.Add(index);
            }
        }

        return present;
    }
}

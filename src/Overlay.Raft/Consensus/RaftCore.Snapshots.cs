using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>Snapshots: what is dropped for one, who needs one, and what taking one over means (Raft, 7).</summary>
public sealed partial class RaftCore
{
    /// <summary>
    /// A snapshot of the applied state is durable. Entries before keepFrom are dropped; what is kept before the snapshot
    /// brings slow members up to date without it.
    /// </summary>
    /// <param name="keepFrom">At most the index behind the snapshot.</param>
    public void Compact(SnapshotMark snapshot, ulong keepFrom)
    {
        log.Compact(snapshot, keepFrom);
        while (history.Count > 1 && history[1].Index <= log.Snapshot.Index)
        {
            history.RemoveAt(0);
        }
    }

    /// <summary>Whether a snapshot of that mark would be taken now: else its bytes need not be received, or kept.</summary>
    public bool WantsSnapshot(SnapshotMark snapshot) => role != RaftRole.Leader && snapshot.Index > log.Commit;

    /// <summary>A snapshot of <see cref="RaftEffects.SnapshotsWanted"/> was received whole, or not.</summary>
    public void SnapshotSent(MemberId member, bool isReceived)
    {
        if (role != RaftRole.Leader || members.Find(member) is not { State: ProgressState.Snapshot } progress)
        {
            return;
        }

        if (!isReceived)
        {
            progress.SnapshotFailed();
        }

        progress.Probe();

        // It has the bytes, or could not take them: wait until it says something.
        progress.IsHeldBack = true;
    }

    private bool OfferSnapshot(Progress progress)
    {
        if (!progress.IsRecentlyActive)
        {
            return false;
        }

        Invariant.Holds(log.Snapshot.Index + 1 >= log.First, "what the log has lost is in a snapshot");
        progress.AwaitSnapshot(log.Snapshot.Index);
        effects.SnapshotsWanted.Add(new()
        {
            Kind = MessageKind.InstallSnapshot,
            From = self,
            To = progress.Member,
            Term = state.Term,
            Commit = log.Commit,
            Snapshot = log.Snapshot,
            Configuration = ConfigurationAt(log.Snapshot.Index),
        });
        return true;
    }

    private void TakeSnapshot(in RaftMessage message)
    {
        SnapshotMark mark = message.Snapshot;
        if (message.Configuration is not { } configuration)
        {
            return;
        }

        if (mark.Index > log.Commit && log.Matches(mark.Index, mark.Term))
        {
            // The log has it already, and now it is known to be committed.
            log.CommitTo(mark.Index);
        }
        else if (mark.Index > log.Commit)
        {
            log.Replace(mark);
            writes.Replace();
            history.Clear();
            Enter(mark.Index, configuration);
        }

        Hold(new() { Kind = MessageKind.AppendResponse, To = message.From, Index = log.Commit });
    }
}

using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>What a follower takes from its leader (Raft, 5.3).</summary>
public sealed partial class RaftCore
{
    private void TakeHeartbeat(in RaftMessage message)
    {
        log.CommitTo(message.Commit);
        CompareState(message);
        Send(new() { Kind = MessageKind.HeartbeatResponse, To = message.From, Context = message.Context });
    }

    private void TakeAppend(in RaftMessage message)
    {
        if (!IsSound(message))
        {
            return;
        }

        CompareState(message);
        if (message.Index < log.Commit)
        {
            // What is committed is equal, so the leader may go on behind it.
            Hold(new() { Kind = MessageKind.AppendResponse, To = message.From, Index = log.Commit });
            return;
        }

        if (!log.Matches(message.Index, message.LogTerm))
        {
            SnapshotMark hint = log.LastAtMost(message.Index, message.LogTerm);
            Send(new()
            {
                Kind = MessageKind.AppendResponse,
                To = message.From,
                Index = message.Index,
                Reject = true,
                RejectHint = hint.Index,
                LogTerm = hint.Term,
            });
            return;
        }

        Append(message.Entries.Span);
        ulong last = message.Index + (ulong)message.Entries.Length;
        log.CommitTo(Math.Min(message.Commit, last));
        Hold(new() { Kind = MessageKind.AppendResponse, To = message.From, Index = last });
    }

    /// <summary>Only what contradicts is cut off: an old message must not shorten the log.</summary>
    private void Append(ReadOnlySpan<LogEntry> entries)
    {
        foreach (ref readonly LogEntry entry in entries)
        {
            if (entry.Index <= log.Last)
            {
                if (log.Matches(entry.Index, entry.Term))
                {
                    continue;
                }

                Invariant.Holds(
                    entry.Index > log.Commit,
                    $"entry {entry.Index} is committed, but the leader has another one of term {entry.Term}");
                log.Truncate(entry.Index);
                writes.Truncate(log.Last);
            }

            log.Append(entry);
        }
    }

    private static bool IsSound(in RaftMessage message)
    {
        ulong index = message.Index;
        ulong term = message.LogTerm;
        foreach (ref readonly LogEntry entry in message.Entries.Span)
        {
            if (entry.Index != ++index || entry.Term < term)
            {
                return false;
            }

            term = entry.Term;
        }

        return term <= message.Term;
    }

    private void CompareState(in RaftMessage message)
    {
        if (hashes.Compare(message.From, message.AppliedIndex, message.StateHash) is { } divergence)
        {
            effects.Diverged.Add(divergence);
        }
    }
}

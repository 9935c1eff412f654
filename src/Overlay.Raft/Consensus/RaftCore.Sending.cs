namespace Overlay.Raft.Consensus;

/// <summary>What goes from the leader's log to each member, and when.</summary>
public sealed partial class RaftCore
{
    /// <summary>The member did not get what was sent: a connection broke, a queue was full.</summary>
    public void Unreachable(MemberId member)
    {
        if (role == RaftRole.Leader && members.Find(member) is { State: ProgressState.Replicate } progress)
        {
            progress.Probe();
        }
    }

    private void SendAppends()
    {
        if (!appendsDue)
        {
            return;
        }

        appendsDue = false;
        foreach (Progress progress in members.All)
        {
            if (progress.Member == self)
            {
                continue;
            }

            bool isCommitNews = log.Commit > progress.SentCommit && progress.SentCommit < progress.Next - 1;
            if (SendAppend(progress, isCommitNews))
            {
                while (progress.State == ProgressState.Replicate && SendAppend(progress, evenEmpty: false))
                {
                }
            }
        }
    }

    /// <summary>One message; false: there is nothing to send, or it must wait.</summary>
    private bool SendAppend(Progress progress, bool evenEmpty)
    {
        if (progress.IsPaused)
        {
            return false;
        }

        ulong before = progress.Next - 1;
        if (!log.TryTerm(before, out ulong term))
        {
            return OfferSnapshot(progress);
        }

        int count = 0;
        long bytes = 0;
        if (progress.State != ProgressState.Replicate || !progress.Inflight.IsFull)
        {
            count = log.Count(progress.Next, log.Last, options.MaxMessageBytes, int.MaxValue, out bytes);
        }

        if (count == 0 && !evenEmpty)
        {
            return false;
        }

        Memory<LogEntry> entries = effects.Rent(count);
        log.CopyTo(progress.Next, entries.Span);
        Send(new()
        {
            Kind = MessageKind.Append,
            To = progress.Member,
            Index = before,
            LogTerm = term,
            Commit = log.Commit,
            Entries = entries,
            AppliedIndex = hashes.Newest.Index,
            StateHash = hashes.Newest.Hash,
        });
        progress.Sent(count, bytes, log.Commit);
        return true;
    }
}

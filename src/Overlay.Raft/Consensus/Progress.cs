using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>What a member knows of another: as a leader how far its log goes, as a candidate its vote.</summary>
internal sealed class Progress(MemberId member, RaftOptions options)
{
    public MemberId Member => member;

    public ulong Match { get; private set; }

    public ulong Next { get; private set; } = 1;

    public ProgressState State { get; private set; }

    public ulong PendingSnapshot { get; private set; }

    public Inflight Inflight { get; } = new(options.MaxInflightMessages, options.MaxInflightBytes);

    /// <summary>No entries until an answer, or a heartbeat's, comes.</summary>
    public bool IsHeldBack { get; set; }

    public bool IsRecentlyActive { get; set; }

    /// <summary>The highest commit index that an Append told it, if it can use it.</summary>
    public ulong SentCommit { get; set; }

    /// <summary>The highest position of reads that it has confirmed in this term.</summary>
    public ulong ReadPosition { get; set; }

    /// <summary>Null: not heard yet.</summary>
    public bool? Vote { get; set; }

    public bool IsPaused => State == ProgressState.Snapshot || IsHeldBack;

    public void Reset(ulong match, ulong next)
    {
        Match = match;
        Next = next;
        State = ProgressState.Probe;
        PendingSnapshot = 0;
        Inflight.Clear();
        IsHeldBack = false;
        IsRecentlyActive = false;
        SentCommit = 0;
        ReadPosition = 0;
        Vote = null;
    }

    /// <summary>This member itself: what is durable counts.</summary>
    public void Own(ulong durable)
    {
        Match = durable;
        Next = durable + 1;
        State = ProgressState.Replicate;
        IsRecentlyActive = true;
        ReadPosition = ulong.MaxValue;
    }

    public void Probe()
    {
        // A snapshot that was delivered and not acknowledged yet: behind it is the place to try.
        Next = State == ProgressState.Snapshot ? Math.Max(Match + 1, PendingSnapshot + 1) : Match + 1;
        Become(ProgressState.Probe);
        SentCommit = Math.Min(SentCommit, Next - 1);
    }

    public void Replicate()
    {
        Become(ProgressState.Replicate);
        Next = Match + 1;
    }

    public void AwaitSnapshot(ulong index)
    {
        Become(ProgressState.Snapshot);
        PendingSnapshot = index;
        Next = index + 1;
        SentCommit = index;
    }

    public void SnapshotFailed() => PendingSnapshot = 0;

    /// <summary>It has everything up to the entry; false: that is no news.</summary>
    public bool Acknowledge(ulong index)
    {
        if (index <= Match)
        {
            return false;
        }

        Match = index;
        Next = Math.Max(Next, index + 1);
        IsHeldBack = false;
        return true;
    }

    /// <summary>
    /// It has refused entries behind the index; at the hint the logs may agree. False: an old answer, overtaken by others.
    /// </summary>
    public bool Refuse(ulong refused, ulong hint)
    {
        if (State == ProgressState.Replicate)
        {
            if (refused <= Match)
            {
                return false;
            }

            Next = Match + 1;
            SentCommit = Math.Min(SentCommit, Next - 1);
            return true;
        }

        if (State == ProgressState.Snapshot || Next - 1 != refused)
        {
            return false;
        }

        Next = Math.Max(Math.Min(refused, hint + 1), Match + 1);
        SentCommit = Math.Min(SentCommit, Next - 1);
        IsHeldBack = false;
        return true;
    }

    public void Sent(int count, long bytes, ulong commit)
    {
        SentCommit = commit;
        if (State == ProgressState.Probe)
        {
            IsHeldBack = IsHeldBack || count > 0;
            return;
        }

        Invariant.Holds(State == ProgressState.Replicate, "no entries go to a member that awaits a snapshot");
        if (count > 0)
        {
            Next += (ulong)count;
            Inflight.Add(Next - 1, bytes);
        }

        IsHeldBack = Inflight.IsFull;
    }

    private void Become(ProgressState state)
    {
        State = state;
        PendingSnapshot = 0;
        IsHeldBack = false;
        Inflight.Clear();
    }
}

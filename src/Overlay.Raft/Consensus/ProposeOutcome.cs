namespace Overlay.Raft.Consensus;

public enum ProposeStatus : byte
{
    /// <summary>In the leader's log. It is decided when the entry with this index and term is applied, or another at that index.</summary>
    Accepted = 0,
    NotLeader = 1,

    /// <summary>More is open than <see cref="RaftOptions.MaxUncommittedBytes"/>: try again when something has committed.</summary>
    TooMuchUncommitted = 2,

    /// <summary>The leadership is being handed over.</summary>
    Transferring = 3,

    /// <summary>The change before is not applied yet, or the leader has not committed an entry of its term yet.</summary>
    ChangePending = 4,

    /// <summary>The present configuration cannot become that: see <see cref="ProposeOutcome.Reason"/>.</summary>
    Invalid = 5,
}

/// <summary>What became of a proposal at once.</summary>
/// <param name="Leader">If not accepted: who may take it; none: unknown.</param>
public readonly record struct ProposeOutcome(ProposeStatus Status, ulong Index, ulong Term, MemberId Leader, string? Reason = null)
{
    public bool IsAccepted => Status == ProposeStatus.Accepted;
}

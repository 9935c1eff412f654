namespace Overlay.Raft.Consensus;

/// <summary>How a leader sends entries to a member.</summary>
public enum ProgressState : byte
{
    /// <summary>It is not known where the logs agree: one Append, then silence until an answer or a heartbeat's.</summary>
    Probe = 0,

    /// <summary>Appends go out without waiting, as far as the window allows.</summary>
    Replicate = 1,

    /// <summary>It needs a snapshot; no entries until that is settled.</summary>
    Snapshot = 2,
}

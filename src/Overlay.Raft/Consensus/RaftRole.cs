namespace Overlay.Raft.Consensus;

public enum RaftRole : byte
{
    Follower = 0,

    /// <summary>Asks whether it could win, without a new term.</summary>
    PreCandidate = 1,
    Candidate = 2,
    Leader = 3,
}

namespace Overlay.Simulation.Raft;

/// <summary>Things that must happen in some runs: a simulation in which they never do proves nothing about them.</summary>
internal enum RaftSometimes
{
    LeaderElected,
    LeaderCrashedWithUnsyncedEntry,
    CrashLostWrites,
    CrashKeptPartOfWrite,
    CrashBetweenVoteAndDisk,
    RestartWithTail,
    TailCut,
    TailOfTwoTermsCut,
    OldMessageToNewLife,
    MessageToOldLifeOfWiped,
    SnapshotTaken,
    SnapshotInstalled,
    SnapshotInstalledWhileJoint,
    SnapshotSendFailed,
    SnapshotOverNewerLog,
    LeaderSteppedDown,
    LeaderWithHungDisk,
    TransferDone,
    TransferFailed,
    JointEntered,
    JointLeft,
    LearnerPromoted,
    VoterDemoted,
    VoterRemoved,
    LeaderRemoved,
    ChangeRefusedWhilePending,
    ChangeEntryCut,
    ChangeRefused,
    NodeWiped,
    WriteAcknowledged,
    WriteAmbiguous,
    RequestRepeated,
    ReadByLeader,
    ReadByFollower,
    ReadLost,
    ProposalRefused,
    TooMuchUncommitted,
    ProposalWhileTransferring,
    OneWayCut,
    Partition,
    LeaderIsolated,
    Pause,
    PauseOfLeader,
    SlowDisk,
    CommitOfOlderTermByNewer,
    TwoLeadersAtOnce,
    HistoryChecked,
    Healed,
}

internal sealed class RaftCounters
{
    private readonly long[] counts = new long[Enum.GetValues<RaftSometimes>().Length];

    public IEnumerable<RaftSometimes> Missing => Enum.GetValues<RaftSometimes>().Where(s => counts[(int)s] == 0);

    public long this[RaftSometimes thing] => counts[(int)thing];

    public void Add(RaftSometimes thing) => counts[(int)thing]++;

    public void Add(RaftCounters other)
    {
        for (int i = 0; i < counts.Length; i++)
        {
            counts[i] += other.counts[i];
        }
    }

    public override string ToString() =>
        string.Join(", ", Enum.GetValues<RaftSometimes>().Select(s => $"{s} {counts[(int)s]}"));
}

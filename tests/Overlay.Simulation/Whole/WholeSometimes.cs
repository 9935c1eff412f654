namespace Overlay.Simulation.Whole;

/// <summary>Things that must happen in some runs: a simulation in which they never do proves nothing about them.</summary>
internal enum WholeSometimes
{
    LeaderElected,
    Kill,
    PowerFailure,
    LeaderPowerFailure,
    CrashInsideWrite,
    CrashInsideSnapshot,
    CrashInsideInstall,
    CrashAtStart,
    GracefulStop,
    TornTailCut,
    DiskError,
    DiskFull,
    ShortageRefused,
    HungDisk,
    Decay,
    DecayFound,
    DecayOfSnapshotFound,
    RepairedByEntries,
    RepairedByCut,
    RepairedBySnapshot,
    RepairWaited,
    MemberLost,
    MemberReplaced,
    RefusedForGood,
    EncryptedStart,
    KeyRotated,
    SegmentBegun,
    SuffixCut,
    SnapshotTaken,
    SnapshotInstalled,
    RestartFromSnapshot,
    RestartWithTail,
    LearnerAdded,
    LearnerPromoted,
    VoterRemoved,
    MemberWiped,
    Partition,
    OneWayCut,
    LeaderIsolated,
    PauseOfLeader,
    WallJump,
    WriteAcknowledged,
    WriteRefused,
    WriteRepeated,
    WriteAmbiguous,
    ReadAnswered,
    ReadByFollower,
    NoQuorumTold,
    NotLeaderTold,
    UndecidedTold,
    NetworkCreated,
    NetworkRemoved,
    NodeAdded,
    AddressTaken,
    AddressConflict,
    AddressReleased,
    QuarantineSwept,
    HistoryChecked,
    Healed,
}

internal sealed class WholeCounters
{
    private readonly long[] counts = new long[Enum.GetValues<WholeSometimes>().Length];

    public IEnumerable<WholeSometimes> Missing => Enum.GetValues<WholeSometimes>().Where(s => counts[(int)s] == 0);

    public long this[WholeSometimes thing] => counts[(int)thing];

    public void Add(WholeSometimes thing) => counts[(int)thing]++;

    public void Add(WholeCounters other)
    {
        for (int i = 0; i < counts.Length; i++)
        {
            counts[i] += other.counts[i];
        }
    }

    public override string ToString() =>
        string.Join(", ", Enum.GetValues<WholeSometimes>().Select(s => $"{s} {counts[(int)s]}"));
}

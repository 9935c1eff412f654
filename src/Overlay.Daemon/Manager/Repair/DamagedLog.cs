using System.Collections.Immutable;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Repair;

namespace Overlay.Daemon.Manager.Repair;

/// <summary>
/// A manager's log from the start that found it damaged until it is whole: what to ask the others, what to answer those who do
/// the same, and what is then done to the disk, as <see cref="LogRepair"/> decides. Stopped anywhere, the next start begins
/// again with what is there. Used by one thread at a time.
/// </summary>
internal sealed class DamagedLog
{
    private readonly LogStore log;
    private readonly RepairOptions options;
    private LogRepair repair;

    /// <param name="log">Opened with its damage.</param>
    /// <param name="known">Other managers, as far as they are known from elsewhere.</param>
    public DamagedLog(LogStore log, LogRecovery found, IEnumerable<MemberId> known, RepairOptions options, Instant now)
    {
        this.log = log;
        this.options = options;
        Found = found;
        repair = Begin(known, now);
    }

    /// <summary>What is in the log now.</summary>
    public LogRecovery Found { get; private set; }

    public bool IsWhole => Found.Damaged.Count == 0;

    /// <summary>Entries that were got back from others, so far.</summary>
    public int Restored { get; private set; }

    /// <summary>The first entry that was cut off, because it was never decided; 0: none was.</summary>
    public ulong CutFrom { get; private set; }

    /// <summary>Another's snapshot that was taken in place of entries; 0: none was.</summary>
    public ulong Adopted { get; private set; }

    public Instant NextDeadline => repair.NextDeadline;

    /// <summary>Whom it asks.</summary>
    public IReadOnlyCollection<MemberId> Peers => repair.Peers;

    /// <summary>What others may have of this log; a snapshot is <see cref="LogRecovery.Snapshot"/> of <see cref="Found"/>.</summary>
    public RepairSource Source => repair.Source;

    /// <summary>The questions that are due.</summary>
    public ImmutableArray<RepairRequest> Advance(Instant now) => repair.Advance(now);

    /// <summary>Takes an answer.</summary>
    public void Receive(RepairReply reply) => repair.Receive(reply);

    /// <summary>What is to be done now; nothing is done yet.</summary>
    public RepairOutcome Next(Instant now) => repair.Next(now);

    /// <summary>
    /// Answers another member that recovers. Its term is made durable here first: what this member says it never had, it will
    /// acknowledge to no leader of before.
    /// </summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public RepairReply Answer(RepairRequest request)
    {
        if (log.State.Term < request.Fence)
        {
            log.WriteState(log.State with { Term = request.Fence, Vote = MemberId.None });
        }

        return repair.Source.Answer(request, log.State.Term, isLeader: false);
    }

    /// <summary>Writes what was got back, and cuts off what was never decided, as <see cref="Next"/> says.</summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Write(RepairOutcome outcome, Instant now)
    {
        Invariant.Holds(outcome.Step is RepairStep.Write or RepairStep.Cut, $"{outcome.Step} is written");
        LogEntry[] right = [.. repair.Right];
        if (right.Length > 0)
        {
            Found = log.Repair(Found, right);
            Restored += right.Length;
        }

        if (outcome.Step == RepairStep.Cut)
        {
            Found = log.CutDamage(Found, outcome.From);
            CutFrom = CutFrom == 0 ? outcome.From : Math.Min(CutFrom, outcome.From);
        }

        repair = Begin(repair.Peers, now);
    }

    /// <summary>Takes a snapshot that <see cref="Next"/> asked for, or a newer one, if that is still what is needed.</summary>
    /// <returns>Whether it was taken.</returns>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public bool Adopt(LogSnapshot snapshot, Instant now)
    {
        if (IsWhole || snapshot.Index <= (Found.Snapshot?.Index ?? 0)
            || repair.Next(now) is not { Step: RepairStep.TakeSnapshot } wanted || snapshot.Index < wanted.Snapshot.Index)
        {
            return false;
        }

        Found = log.Adopt(Found, snapshot);
        Adopted = snapshot.Index;
        repair = Begin(repair.Peers, now);
        return true;
    }

    private LogRepair Begin(IEnumerable<MemberId> known, Instant now) => new(log.Identity!.Member, log.State, Found, known, options, now);
}

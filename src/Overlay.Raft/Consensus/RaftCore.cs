using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>
/// One member's part in the agreement on a log (Raft: Ongaro and Ousterhout, 2014; Ongaro's thesis, 2014). It decides who
/// leads, what is committed, what the disk must hold before a message may go, and when what may be applied. It refuses to
/// know sockets, disks, clocks, and what entries mean.
/// <para>
/// The shell gives it everything that has come in, then calls <see cref="Advance"/> once: that sends what all of it together
/// asks for, in one write and one Append per member. <see cref="NextDeadline"/> says when to call it at the latest.
/// </para>
/// </summary>
public sealed partial class RaftCore
{
    private readonly RaftOptions options;
    private readonly MemberId self;
    private readonly Prng prng;
    private readonly RaftLog log;
    private readonly WriteQueue writes;
    private readonly Members members;
    private readonly StateHashes hashes = new();

    /// <summary>Of the input that is being handled.</summary>
    private RaftEffects effects = new();
    private Instant now;
    private HardState state;
    private HardState issuedState;
    private HardState durableState;
    private RaftRole role;
    private MemberId leader;
    private (RaftRole Role, ulong Term, MemberId Leader) told;
    private Instant electionDeadline;

    public RaftCore(RaftOptions options, MemberId self, RaftRecovered found, Prng prng, Instant now)
    {
        string fault = options.Fault();
        Invariant.Holds(fault.Length == 0, fault);
        Invariant.Holds(!self.IsNone, "a member has an id");
        this.options = options;
        this.self = self;
        this.prng = prng;
        this.now = now;
        log = new(found);
        Invariant.Holds(found.State.Term >= log.LastTerm, "no entry is of a term that was not begun");
        writes = new(options.MaxOutstandingWrites);
        members = new(self, options);
        state = found.State;
        issuedState = state;
        durableState = state;
        told = (RaftRole.Follower, state.Term, MemberId.None);
        readNumber = prng.NextUInt64();
        handedOut = log.Applied;
        changesNoted = log.Applied;
        RecoverConfiguration(found);
        ResetElectionTimer();
    }

    public MemberId Self => self;

    public RaftRole Role => role;

    public ulong Term => state.Term;

    public HardState State => state;

    /// <summary>Of <see cref="State"/> what the disk is known to have.</summary>
    public HardState DurableState => durableState;

    /// <summary>Who got this member's vote in this term.</summary>
    public MemberId Vote => state.Vote;

    /// <summary>None: unknown.</summary>
    public MemberId Leader => leader;

    /// <summary>The first entry that the core still has; it may be one behind the last.</summary>
    public ulong FirstIndex => log.First;

    public ulong LastIndex => log.Last;

    public ulong LastTerm => log.LastTerm;

    /// <summary>The last entry that is on this member's disk.</summary>
    public ulong DurableIndex => log.Durable;

    public ulong CommitIndex => log.Commit;

    public ulong AppliedIndex => log.Applied;

    /// <summary>The newest snapshot that <see cref="Compact"/> told of or that was received.</summary>
    public SnapshotMark Snapshot => log.Snapshot;

    /// <summary>What is in force: as of the last applied entry of that kind.</summary>
    public Configuration Configuration => members.Configuration;

    /// <summary>When <see cref="Advance"/> is to be called at the latest.</summary>
    public Instant NextDeadline
    {
        get
        {
            if (IsUnsettled)
            {
                return now;
            }

            Instant next = role == RaftRole.Leader ? LeaderDeadline : electionDeadline;
            return Instant.Min(next, forwarded.Count == 0 ? Instant.Never : forwarded[0].Expires);
        }
    }

    private bool IsUnsettled =>
        appendsDue || (HasDirt && !writes.IsFull) || IsRoundDue || IsApplyDue || IsLeaveDue
        || told != (role, state.Term, leader);

    /// <summary>Something must become durable that no write holds.</summary>
    private bool HasDirt => state != issuedState || log.HasUnwritten || writes.IsNextAwaited;

    /// <summary>The term of the entry; 0: the core does not know it, or not any more.</summary>
    public ulong TermAt(ulong index) => log.TryTerm(index, out ulong term) ? term : 0;

    /// <summary>An entry from <see cref="FirstIndex"/> to <see cref="LastIndex"/>, for repair and inspection.</summary>
    public LogEntry Entry(ulong index) => log.At(index);

    /// <summary>A message of another member. What is not for this one is ignored.</summary>
    public void Receive(in RaftMessage message, Instant at, RaftEffects into)
    {
        Begin(at, into);
        if (message.To == self && message.From != self && !message.From.IsNone && Admit(message))
        {
            Handle(message);
            NoteChanges();
        }
    }

    /// <summary>The disk has made the write durable, and all before it.</summary>
    public void Completed(ulong number, Instant at, RaftEffects into)
    {
        Begin(at, into);
        Invariant.Holds(number <= writes.Issued, "a write that completes was handed out");
        while (writes.Completed < number)
        {
            CompleteOldest();
        }

        NoteChanges();
        while (writes.TryRelease(out RaftMessage message))
        {
            // What was said in an earlier term helps nobody any more.
            if (message.Term == state.Term)
            {
                effects.Messages.Add(message);
            }
        }
    }

    /// <summary>
    /// Fires what is due, then asks for everything that this and the inputs since the last call have made necessary. Drain
    /// all waiting input before: a timer that overtakes an answer accuses the innocent.
    /// </summary>
    public void Advance(Instant at, RaftEffects into)
    {
        Begin(at, into);
        ExpireForwarded();
        if (role == RaftRole.Leader)
        {
            FireLeader();
        }
        else if (now >= electionDeadline)
        {
            Elect(isTransfer: false, options.PreVote);
        }

        NoteChanges();
        LeaveIfDue();
        StartRound();
        SendAppends();
        CutWrite();
        OpenApply();
        Tell();
    }

    private void Begin(Instant at, RaftEffects into)
    {
        now = at;
        effects = into;
    }

    private void Tell()
    {
        if (told != (role, state.Term, leader))
        {
            told = (role, state.Term, leader);
            effects.RoleChanged = true;
        }
    }

    /// <summary>It may go at once.</summary>
    private void Send(in RaftMessage message) =>
        effects.Messages.Add(message with { From = self, Term = message.Term == 0 ? state.Term : message.Term });

    /// <summary>It may go when all that happened so far is durable: it promises that this is not forgotten.</summary>
    private void Hold(in RaftMessage message)
    {
        if (!HasDirt && writes.Outstanding == 0)
        {
            Send(message);
            return;
        }

        writes.Hold(message with { From = self, Term = state.Term }, HasDirt);
    }

    private void ResetElectionTimer() =>
        electionDeadline = now + prng.Between(options.ElectionTimeout, 2 * options.ElectionTimeout);
}

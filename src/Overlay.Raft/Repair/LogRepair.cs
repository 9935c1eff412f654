using System.Collections.Immutable;
using System.Globalization;
using Overlay.Primitives;

namespace Overlay.Raft.Repair;

/// <summary>
/// Gets back from other members what this one had durable and lost (protocol-aware recovery, Alagappan et al., FAST '18),
/// before its core is built. An entry of the same index and term is the same entry, and so are all before it in that log
/// (log matching); so one intact copy anywhere is enough. An entry may be cut off only if it cannot have been committed:
/// a leader of this member's term or later does not have it, or a majority of every configuration it could have been
/// committed by never had it and will acknowledge it to no leader that may have counted this member. What is damaged
/// elsewhere too, and whole nowhere, may have been committed: then it waits.
/// </summary>
public sealed class LogRepair
{
    /// <summary>So many entries a request asks for at most.</summary>
    public const int MostAsked = 1024;

    private readonly MemberId self;
    private readonly HardState state;
    private readonly RepairOptions options;
    private readonly TermHistory terms;
    private readonly RepairSource source;
    private readonly SortedDictionary<ulong, ulong> missing = [];
    private readonly SortedDictionary<ulong, LogEntry> right = [];
    private readonly List<(ulong Index, Configuration Configuration)> configurations = [];
    private readonly SortedDictionary<MemberId, Witness> witnesses = [];
    private readonly SortedSet<MemberId> peers;
    private readonly ulong snapshotNeeded;
    private readonly Instant started;

    /// <param name="found">Opened with its damage, not lost.</param>
    /// <param name="state">Term and vote as they are on disk.</param>
    /// <param name="known">
    /// Members that are known from elsewhere. They are asked too; only those of the log's own configurations make a majority.
    /// </param>
    public LogRepair(
        MemberId self, HardState state, LogRecovery found, IEnumerable<MemberId> known, RepairOptions options, Instant now)
    {
        Invariant.Holds(!found.IsLost, "a log that is lost is not repaired");
        this.self = self;
        this.state = state;
        this.options = options;
        started = now;
        terms = found.Terms;
        peers = [.. known];
        snapshotNeeded = found.SnapshotNeeded;
        source = RepairSource.Of(found);
        foreach (DamagedRange range in found.Damaged)
        {
            for (ulong index = range.First; index <= range.Last; index++)
            {
                missing[index] = range.Term;
            }
        }

        Add(0, found.Snapshot?.Configuration ?? Configuration.Empty);
        foreach (LogEntry entry in found.Entries)
        {
            Learn(entry);
        }
    }

    /// <summary>The term that who answers must have before what it never had can count.</summary>
    public ulong Fence => state.Term + 1;

    /// <summary>The damaged entries that are known now, ascending.</summary>
    public IReadOnlyCollection<LogEntry> Right => right.Values;

    /// <summary>Damaged entries that are not known yet.</summary>
    public int Missing => missing.Count;

    /// <summary>What others who recover may have from this member, and what it has got back itself.</summary>
    public RepairSource Source => source;

    public Instant NextDeadline { get; private set; }

    /// <summary>Every member that may have an entry of this log.</summary>
    public IReadOnlyCollection<MemberId> Peers => peers;

    /// <summary>The questions that are due.</summary>
    public ImmutableArray<RepairRequest> Advance(Instant now)
    {
        if (now < NextDeadline || missing.Count == 0)
        {
            return [];
        }

        NextDeadline = now + options.Interval;
        ImmutableArray<RepairAsk> asks = Asks();
        return [.. Peers.Select(peer => new RepairRequest(self, peer, Fence, asks))];
    }

    /// <summary>Takes an answer, of any origin; whom it is from was made sure of by the certificate.</summary>
    public void Receive(RepairReply reply)
    {
        if (reply.To != self || !peers.Contains(reply.From) || reply.Answers.IsDefault || reply.Answers.Length > MostAsked)
        {
            return;
        }

        if (!witnesses.TryGetValue(reply.From, out Witness? witness))
        {
            witnesses[reply.From] = witness = new();
        }

        witness.Hear(reply);
        TakeEntries(reply);
    }

    public RepairOutcome Next(Instant now)
    {
        if (missing.Count == 0)
        {
            return new(RepairStep.Write, 0, default, default, "");
        }

        (ulong index, ulong term) = missing.First();
        foreach ((ulong candidate, ulong _) in missing)
        {
            // The lowest only by a majority: a damaged entry before it may say who the majority is.
            if (candidate > snapshotNeeded && (LeaderNeverHad(candidate) || (candidate == index && MajorityNeverHad(candidate))))
            {
                return new(RepairStep.Cut, candidate, default, default, "");
            }
        }

        (MemberId member, SnapshotMark snapshot) = Newest();
        bool patient = now - started < options.SnapshotAfter && !Peers.All(witnesses.ContainsKey);
        return snapshot.Index >= Math.Max(index, snapshotNeeded) && !patient && snapshot.Index > source.Snapshot.Index
            ? new(RepairStep.TakeSnapshot, 0, member, snapshot, "")
            : new(RepairStep.Waiting, 0, default, default, Why(index, term));
    }

    /// <summary>
    /// The missing ones, lowest first; behind those of unknown term the next of a known one, by which they are
    /// recognised.
    /// </summary>
    private ImmutableArray<RepairAsk> Asks()
    {
        SortedDictionary<ulong, ulong> asks = [];
        foreach ((ulong index, ulong term) in missing)
        {
            if (asks.Count >= MostAsked - 1)
            {
                break;
            }

            asks[index] = term;
            if (term == 0 && terms.TermOf(index + 1) is > 0 and var next)
            {
                asks[index + 1] = next;
            }
        }

        return [.. asks.Select(static ask => new RepairAsk(ask.Key, ask.Value))];
    }

    private void TakeEntries(RepairReply reply)
    {
        ulong matched = 0;
        for (int i = reply.Answers.Length - 1; i >= 0; i--)
        {
            (RepairFate fate, LogEntry entry) = reply.Answers[i];
            ulong ours = terms.TermOf(entry.Index);
            bool same = ours != 0 && entry.Term == ours && fate is RepairFate.Whole or RepairFate.Damaged;
            matched = same ? Math.Max(matched, entry.Index) : matched;
            if (fate == RepairFate.Whole && entry.Index > snapshotNeeded && (same || (ours == 0 && entry.Index < matched)) && missing.Remove(entry.Index))
            {
                right[entry.Index] = entry;
                source.Add(entry);
                Learn(entry);
            }
        }
    }

    private void Learn(in LogEntry entry)
    {
        if (entry.Kind == EntryKind.Configuration && Configuration.TryRead(entry.Data.Span, out Configuration? configuration))
        {
            Add(entry.Index, configuration!);
        }
    }

    private void Add(ulong index, Configuration configuration)
    {
        configurations.Add((index, configuration));
        peers.UnionWith(configuration.Members);
        peers.Remove(self);
    }

    /// <summary>
    /// A leader has every entry that was committed before its term, and made those of its own. This member acknowledged
    /// nothing in a term after its own.
    /// </summary>
    private bool LeaderNeverHad(ulong index) =>
        witnesses.Values.Any(witness => witness.IsLeader && witness.Term >= state.Term && witness.Never.Contains(index));

    private bool MajorityNeverHad(ulong index) => configurations
        .Where(c => c.Index < index)
        .SelectMany(static c => c.Configuration.IsJoint
            ? [c.Configuration.Voters, c.Configuration.OutgoingVoters]
            : (ImmutableArray<MemberId>[])[c.Configuration.Voters])
        .All(voters => voters.Count(voter => NeverHad(voter, index)) > voters.Length / 2);

    private bool NeverHad(MemberId voter, ulong index) =>
        voter != self && witnesses.TryGetValue(voter, out Witness? witness) && witness.Term >= Fence && witness.Never.Contains(index);

    private (MemberId Member, SnapshotMark Snapshot) Newest()
    {
        (MemberId Member, SnapshotMark Snapshot) newest = default;
        foreach ((MemberId member, Witness witness) in witnesses)
        {
            newest = witness.Snapshot.Index > newest.Snapshot.Index ? (member, witness.Snapshot) : newest;
        }

        return newest;
    }

    private string Why(ulong index, ulong term)
    {
        string entry = string.Create(CultureInfo.InvariantCulture, $"entry {index}{(term > 0 ? $" of term {term}" : "")}");
        MemberId[] silent = [.. Peers.Where(peer => !witnesses.ContainsKey(peer))];
        return silent.Length > 0
            ? $"{entry} is damaged here, and {string.Join(", ", silent)} did not answer yet"
            : $"{entry} is damaged here, and no other manager has it whole; it may have been committed, so it is not cut off";
    }

    /// <summary>What another member has said.</summary>
    private sealed class Witness
    {
        public ulong Term { get; private set; }

        public bool IsLeader { get; private set; }

        public SnapshotMark Snapshot { get; private set; }

        public SortedSet<ulong> Never { get; } = [];

        public void Hear(RepairReply reply)
        {
            if (reply.Term < Term)
            {
                return;
            }

            if (reply.Term > Term || reply.IsLeader != IsLeader)
            {
                // What it never had was true in that term and role.
                Never.Clear();
            }

            Term = reply.Term;
            IsLeader = reply.IsLeader;
            Snapshot = reply.Snapshot.Index > Snapshot.Index ? reply.Snapshot : Snapshot;
            foreach (RepairAnswer answer in reply.Answers)
            {
                if (answer.Fate == RepairFate.Never)
                {
                    Never.Add(answer.Entry.Index);
                }
                else
                {
                    Never.Remove(answer.Entry.Index);
                }
            }
        }
    }
}

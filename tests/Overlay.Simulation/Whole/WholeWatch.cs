using System.Runtime.CompilerServices;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Simulation.Raft;

namespace Overlay.Simulation.Whole;

/// <summary>What must hold after every turn of a manager, every message it sends and every start.</summary>
internal sealed class WholeWatch(WholeWorld world)
{
    private readonly Dictionary<ulong, MemberId> leaders = [];
    private readonly Dictionary<(ulong Term, MemberId Voter), MemberId> votes = [];

    /// <summary>Ids that were members and are not now, with the entry that removed them.</summary>
    public Dictionary<MemberId, ulong> Removed { get; } = [];

    /// <summary>Of those, who was to be a member again: its log is needed as soon as that is committed.</summary>
    public HashSet<MemberId> Returning { get; } = [];

    public static void Require(
        bool holds, object who, [InterpolatedStringHandlerArgument(nameof(holds))] ref Reason reason)
    {
        if (!holds)
        {
            throw new ViolationException($"{who}: {reason.ToText()}");
        }
    }

    /// <summary>Nobody will ask the removed member again, not even after a restart.</summary>
    public bool IsForgotten(WholeNode node) =>
        Removed.TryGetValue(node.Id, out ulong index) && !Returning.Contains(node.Id) && Array.TrueForAll(
            world.Nodes,
            other => other.Durable.Snapshot.Index >= index || other.Durable.State.Committed >= index
                || !world.Truth.Configuration.Contains(other.Id));

    /// <summary>What a start found: all that was durable is there or known to be damaged, and nothing else.</summary>
    public void Recovered(WholeNode node, LogRecovery found, HardState state)
    {
        DurableLog durable = node.Durable;
        bool decayed = node.HasDecayed;
        Require(found.Fault is null || decayed, node, $"a sound disk is called damaged: {found.Fault}");
        Require(
            state.Term >= durable.State.Term && (state.Term > durable.State.Term || durable.State.Vote.IsNone || state.Vote == durable.State.Vote),
            node, $"{state} at a start, durable was {durable.State}");
        ulong covered = Math.Max(found.Snapshot?.Index ?? 0, found.SnapshotNeeded);
        Require(
            Math.Max(found.LastIndex, covered) >= durable.LastIndex, node,
            $"the log ends with {found.LastIndex}, durable was {durable.LastIndex}");
        Require(covered >= durable.Snapshot.Index || decayed, node, $"snapshot {covered}, durable was {durable.Snapshot}");
        ulong next = (found.Snapshot?.Index ?? 0) + 1;
        int damage = 0;
        foreach (LogEntry entry in found.Entries)
        {
            while (next < entry.Index)
            {
                Require(IsDamaged(found, next, ref damage), node, $"entry {next} is neither there nor called damaged");
                next++;
            }

            next = entry.Index + 1;
            Require(world.Truth.IsGenuine(entry), node, $"entry {entry.Index} of term {entry.Term} was never written like that");
            ulong term = durable.Terms.TermOf(entry.Index);
            Require(
                term == 0 || entry.Index <= durable.Snapshot.Index || term == entry.Term || entry.Term > term || node.InFlight is not null, node,
                $"entry {entry.Index} has term {entry.Term}, durable was {term}");
        }

        while (next <= found.LastIndex)
        {
            Require(IsDamaged(found, next, ref damage), node, $"entry {next} is neither there nor called damaged");
            next++;
        }
    }

    public static void Started(WholeNode node)
    {
        RaftCore core = node.Core!;
        Require(core.Term == node.Durable.State.Term, node, $"term {core.Term} after a start, {node.Durable.State.Term} on the disk");
        node.SeenTerm = core.Term;
        node.SeenCommit = Math.Min(node.SeenCommit, core.CommitIndex);
        node.SeenApplied = 0;
        node.SeenConfiguration = core.Configuration;
        node.SeenLeading = false;
    }

    public void Write(WholeNode node, in LogWrite write)
    {
        ulong previous = 0;
        foreach (ref readonly LogEntry entry in write.Entries.Span)
        {
            Require(entry.Term <= node.Core!.Term, node, $"it writes entry {entry.Index} of term {entry.Term} in term {node.Core.Term}");
            world.Truth.Register(node, entry, previous);
            previous = entry.Term;
        }

        if (write.TruncateFrom != 0)
        {
            world.Counters.Add(WholeSometimes.SuffixCut);
        }

        if (write.Install is { } mark)
        {
            world.Counters.Add(WholeSometimes.SnapshotInstalled);
            Require(
                mark.Index <= world.Truth.Last && mark.Term == world.Truth[mark.Index].Entry.Term, node,
                $"it installs a snapshot of {mark}, which nobody decided");
        }

        world.Say(node, $"writes {write.Number}: {write.State} cut {write.TruncateFrom} entries {write.Entries.Length} install {write.Install}");
    }

    public void Send(WholeNode node, in RaftMessage message)
    {
        Require(message.From == node.Id && message.To != node.Id, node, $"it sends {message.Kind} from {message.From} to {message.To}");
        switch (message.Kind)
        {
            case MessageKind.VoteResponse when !message.Reject:
                Require(
                    node.Durable.State.Term == message.Term && node.Durable.State.Vote == message.To, node,
                    $"vote for {message.To} in term {message.Term} is told before it is durable ({node.Durable.State})");
                Vote(node, message.Term, message.To);
                break;
            case MessageKind.AppendResponse when !message.Reject:
                Require(
                    node.Durable.State.Term >= message.Term && message.Index <= Math.Max(node.Durable.LastIndex, node.Durable.Snapshot.Index), node,
                    $"it acknowledges {message.Index} in term {message.Term}, durable is {node.Durable.LastIndex}, {node.Durable.State}");
                break;
            case MessageKind.Append or MessageKind.Heartbeat or MessageKind.TimeoutNow:
                Require(
                    leaders.GetValueOrDefault(message.Term) == node.Id || node.IsLeading, node,
                    $"it sends {message.Kind} of term {message.Term}, whose leader it is not");
                break;
        }
    }

    /// <summary>After every turn.</summary>
    public void After(WholeNode node)
    {
        RaftCore core = node.Core!;
        Require(core.Term >= node.SeenTerm, node, $"term {core.Term} after {node.SeenTerm}");
        if (node.IsLeading && (!node.SeenLeading || core.Term != node.SeenTerm))
        {
            Elected(node, core);
        }

        bool mayCommit = node.IsLeading || node.SeenLeading;
        node.SeenLeading = node.IsLeading;
        node.SeenTerm = core.Term;
        Require(core.CommitIndex >= node.SeenCommit, node, $"commit {core.CommitIndex} after {node.SeenCommit}");
        if (core.CommitIndex != node.SeenCommit)
        {
            Committed(node, core, mayCommit);
            node.SeenCommit = core.CommitIndex;
        }

        node.SeenConfiguration = core.Configuration;
        if (core.AppliedIndex != node.SeenApplied)
        {
            Applied(node, core.AppliedIndex);
            node.SeenApplied = core.AppliedIndex;
        }
    }

    private static bool IsDamaged(LogRecovery found, ulong index, ref int at)
    {
        while (at < found.Damaged.Count && found.Damaged[at].Last < index)
        {
            at++;
        }

        return index <= found.SnapshotNeeded || (at < found.Damaged.Count && found.Damaged[at].First <= index);
    }

    private void Vote(WholeNode node, ulong term, MemberId candidate)
    {
        MemberId first = votes.TryGetValue((term, node.Id), out MemberId former) ? former : candidate;
        votes[(term, node.Id)] = first;
        Require(first == candidate, node, $"two votes in term {term}: {first} and {candidate}");
    }

    private void Elected(WholeNode node, RaftCore core)
    {
        ulong term = core.Term;
        world.Counters.Add(WholeSometimes.LeaderElected);
        Require(leaders.TryAdd(term, node.Id) || leaders[term] == node.Id, node, $"election safety: term {term} has the leader {leaders[term]} too");
        Require(
            node.Durable.State.Term == term && node.Durable.State.Vote == node.Id, node, $"it leads term {term} with {node.Durable.State} on its disk");
        Vote(node, term, node.Id);
        world.Say(node, $"leads term {term}");
        for (ulong i = world.Truth.Last; i > 0; i--)
        {
            if (world.Truth[i].CommitTerm < term)
            {
                RequireEntry(node, core, i);
                break;
            }
        }
    }

    private void RequireEntry(WholeNode node, RaftCore core, ulong index) => Require(
        index <= core.Snapshot.Index || core.TermAt(index) == world.Truth[index].Entry.Term, node,
        $"leader completeness: the leader of term {core.Term} has term {core.TermAt(index)} at the decided entry {index}");

    private void Committed(WholeNode node, RaftCore core, bool mayCommit)
    {
        WholeTruth truth = world.Truth;
        for (ulong i = Math.Max(node.SeenCommit + 1, core.FirstIndex); i <= Math.Min(core.CommitIndex, truth.Last); i++)
        {
            Require(
                i <= core.Snapshot.Index || core.TermAt(i) == truth[i].Entry.Term, node,
                $"state machine safety: entry {i} of term {core.TermAt(i)} is decided, for others one of term {truth[i].Entry.Term}");
        }

        if (core.CommitIndex <= truth.Last)
        {
            return;
        }

        // Alone, a manager takes everything that is durable for decided.
        mayCommit |= core.Configuration.Members is [var only] && only == core.Self;
        Require(mayCommit, node, $"commit {core.CommitIndex} is news, and it does not lead");
        ulong term = core.TermAt(core.CommitIndex);
        // Entries behind a change are decided by those before it until it is applied, which may be in the same turn.
        Require(
            Majorities.Decide(core.Configuration, voter => IsDurable(voter, core.CommitIndex, term))
            || Majorities.Decide(node.SeenConfiguration, voter => IsDurable(voter, core.CommitIndex, term))
            || Majorities.Decide(truth.Configuration, voter => IsDurable(voter, core.CommitIndex, term)), node,
            $"it commits {core.CommitIndex}, which is not on the disks of a majority of {core.Configuration}");
        while (truth.Last < core.CommitIndex)
        {
            Configuration before = truth.Configuration;
            truth.Commit(node, core.Entry(truth.Last + 1), term);
            if (!ReferenceEquals(before, truth.Configuration))
            {
                Reconfigured(node, before, truth.Configuration);
            }
        }

        foreach (WholeNode other in world.Nodes)
        {
            if (other.IsLeading && other.Core!.Term > term)
            {
                RequireEntry(other, other.Core, core.CommitIndex);
            }
        }
    }

    private bool IsDurable(MemberId voter, ulong index, ulong term)
    {
        WholeNode other = world.Nodes[WholeNode.SlotOf(voter)];
        return other.Id == voter && other.Durable.Holds(index, term);
    }

    private void Applied(WholeNode node, ulong index)
    {
        Require(index <= world.Truth.Last, node, $"it applies {index}, decided is {world.Truth.Last}");
        Require(
            node.Loop!.Hash == world.Truth[index].Hash, node,
            $"with {index} applied its store is {node.Loop.Hash}, that of the log is {world.Truth[index].Hash}");
        Require(
            node.Loop.State.Version == world.Truth[index].State.Version, node,
            $"with {index} applied it shows version {node.Loop.State.Version}, not {world.Truth[index].State.Version}");
        Configuration truth = world.Truth[Math.Max(index, node.Core!.Snapshot.Index)].Configuration;
        Require(
            node.Core.Configuration.Equals(truth) || !truth.Contains(node.Id), node,
            $"with {index} applied its configuration is {node.Core.Configuration}, not {truth}");
    }

    private void Reconfigured(WholeNode node, Configuration before, Configuration after)
    {
        Require(!Majorities.CanSplit(before, after), node, $"{before} and {after} can decide apart");
        if (before.Learners.Any(m => after.Voters.Contains(m)))
        {
            world.Counters.Add(WholeSometimes.LearnerPromoted);
        }

        if (after.Learners.Any(m => !before.Contains(m)))
        {
            world.Counters.Add(WholeSometimes.LearnerAdded);
        }

        foreach (MemberId member in before.Members.Where(m => !after.Contains(m)))
        {
            Removed[member] = world.Truth.Last;
            world.Counters.Add(WholeSometimes.VoterRemoved);
        }

        foreach (MemberId member in after.Members)
        {
            if (Removed.Remove(member))
            {
                world.Counters.Add(WholeSometimes.MemberReturned);
            }
        }
    }
}

using System.Runtime.CompilerServices;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Raft;

/// <summary>What must hold after every event (Ongaro and Ousterhout, 2014, figure 3, and what durability adds).</summary>
internal sealed class RaftWatch(RaftSimNode[] nodes, CommittedLog committed, SometimesCounters<RaftSometimes> counters)
{
    private readonly EntryRegister register = new();
    private readonly Dictionary<MemberId, WrittenLog> written = [];
    private readonly Dictionary<ulong, MemberId> leaders = [];
    private readonly Dictionary<(ulong Term, MemberId Voter), MemberId> votes = [];

    /// <summary>Ids that a committed configuration had and the newest has not, with the entry that removed them.</summary>
    public Dictionary<MemberId, ulong> Removed { get; } = [];

    /// <summary>Of those, who was to be a member again: its log is needed as soon as that is committed.</summary>
    public HashSet<MemberId> Returning { get; } = [];

    /// <summary>
    /// Nobody will ask the removed member again, not even after a restart: until the change is durably known to a member, it
    /// may come back with the configuration before, in which the removed one has a say.
    /// </summary>
    public bool IsForgotten(RaftSimNode node)
    {
        if (!Removed.TryGetValue(node.Id, out ulong index) || Returning.Contains(node.Id))
        {
            return false;
        }

        Configuration present = committed.ConfigurationAt(committed.Last);
        return Array.TrueForAll(
            nodes,
            other => other.Disk.Snapshot.Mark.Index >= index || other.Disk.State.Committed >= index || !present.Contains(other.Id));
    }

    public void Started(RaftSimNode node)
    {
        WrittenLog log = new();
        log.Load(node.Disk);
        written[node.Id] = log;
        RaftCore core = node.Core!;
        Require(core.Term == node.Disk.State.Term, node, $"term {core.Term} after a start, {node.Disk.State.Term} on the disk");
        Require(core.Role == RaftRole.Follower, node, $"a member starts as follower, not as {core.Role}");
        node.SeenTerm = core.Term;
        node.SeenCommit = Math.Min(node.SeenCommit, core.CommitIndex);
        node.SeenApplied = node.Applied;
        node.SeenLeading = false;
    }

    public void Write(RaftSimNode node, in LogWrite write)
    {
        WrittenLog log = written[node.Id];
        if (write.Install is { } mark)
        {
            Require(
                mark.Index <= committed.Last && mark.Term == committed.TermAt(mark.Index), node,
                $"it installs a snapshot of {mark}, which nobody committed");
            Require(!node.IsLeading, node, $"a leader installs a snapshot");
            counters.Add(mark.Index < log.Last ? RaftSometimes.SnapshotOverNewerLog : RaftSometimes.SnapshotInstalled);
            log.Install(mark);
        }

        if (write.TruncateFrom != 0 && write.TruncateFrom <= log.Last)
        {
            Require(!node.IsLeading, node, $"a leader cuts its own log");
            // The leader of an earlier term, heard late, may cut what a later one has committed without this node.
            Require(
                write.TruncateFrom > committed.Last || log.TermAt(write.TruncateFrom) != committed.TermAt(write.TruncateFrom)
                || Math.Min(node.Core!.Term, write.Entries.Length > 0 ? write.Entries.Span[0].Term : ulong.MaxValue)
                    < committed[write.TruncateFrom].CommitTerm, node,
                $"it cuts from {write.TruncateFrom}, and has the committed entry there");
            CountCut(log, write.TruncateFrom);
        }

        foreach (ref readonly LogEntry entry in write.Entries.Span)
        {
            Require(entry.Index == log.Last + 1, node, $"it writes entry {entry.Index} behind {log.Last}");
            Require(entry.Term <= node.Core!.Term, node, $"it writes entry {entry.Index} of term {entry.Term} in term {node.Core.Term}");
            if (log.TermAt(log.Last) is { } before)
            {
                register.Add(entry, before, node);
            }

            log.Append(entry.Term);
        }
    }

    public void Send(RaftSimNode node, in RaftMessage message)
    {
        Require(message.From == node.Id, node, $"it sends in the name of {message.From}");
        Require(message.To != node.Id && !message.To.IsNone, node, $"it sends {message.Kind} to {message.To}");
        switch (message.Kind)
        {
            case MessageKind.VoteResponse when !message.Reject:
                Require(
                    node.Disk.State.Term == message.Term && node.Disk.State.Vote == message.To, node,
                    $"vote for {message.To} in term {message.Term} is told before it is durable ({node.Disk.State})");
                Vote(node, message.Term, message.To);
                break;
            case MessageKind.AppendResponse when !message.Reject:
                Acknowledge(node, message);
                break;
            case MessageKind.Append or MessageKind.Heartbeat or MessageKind.InstallSnapshot or MessageKind.TimeoutNow:
                Require(
                    leaders.GetValueOrDefault(message.Term) == node.Id || node.Core!.Role == RaftRole.Leader, node,
                    $"it sends {message.Kind} of term {message.Term}, whose leader it is not");
                break;
        }
    }

    /// <summary>After every input of a node, before its effects are performed.</summary>
    public void After(RaftSimNode node)
    {
        RaftCore core = node.Core!;
        ulong term = core.Term;
        Require(term >= node.SeenTerm, node, $"term {term} after {node.SeenTerm}");
        bool leading = core.Role == RaftRole.Leader;
        bool mayCommit = leading || (node.SeenLeading && term == node.SeenTerm);
        if (leading && (!node.SeenLeading || term != node.SeenTerm))
        {
            Elected(node, core);
        }
        else if (node.SeenLeading && !leading)
        {
            counters.Add(RaftSometimes.LeaderSteppedDown);
        }

        node.SeenLeading = leading;
        node.SeenTerm = term;
        ulong commit = core.CommitIndex;
        Require(commit >= node.SeenCommit, node, $"commit {commit} after {node.SeenCommit}");
        if (commit != node.SeenCommit)
        {
            if (commit > committed.Last)
            {
                Require(mayCommit, node, $"commit {commit} is news, and it does not lead");
                Committed(node, core, commit);
            }

            node.SeenCommit = commit;
        }
    }

    public void ApplyChecked(RaftSimNode node, in LogEntry entry)
    {
        Require(entry.Index == node.Applied + 1, node, $"it applies {entry.Index} after {node.Applied}");
        Require(entry.Index <= committed.Last, node, $"it applies {entry.Index}, committed is {committed.Last}");
        LogEntry truth = committed[entry.Index].Entry;
        Require(
            entry.Term == truth.Term && entry.Kind == truth.Kind && entry.Data.Span.SequenceEqual(truth.Data.Span), node,
            $"state machine safety: it applies another entry {entry.Index} (term {entry.Term}) than others (term {truth.Term})");
        Require(node.Disk.Holds(entry.Index, entry.Term), node, $"it applies {entry.Index} before that is on its disk");
    }

    public void ConfigurationChecked(RaftSimNode node)
    {
        // A snapshot's holds from its arrival on, before its state is loaded; who began outside knows none at first.
        ulong index = Math.Max(node.Applied, node.Core!.Snapshot.Index);
        Configuration truth = committed.ConfigurationAt(index);
        bool isBefore = ReferenceEquals(truth, committed.Initial) && node.Core.Configuration.Equals(Configuration.Empty);
        Require(
            node.Core.Configuration.Equals(truth) || (isBefore && !truth.Contains(node.Id)), node,
            $"with {index} applied its configuration is {node.Core.Configuration}, not {truth}");
    }

    public static void Require(
        bool holds, RaftSimNode node, [InterpolatedStringHandlerArgument(nameof(holds))] ref Reason reason)
    {
        if (!holds)
        {
            throw new ViolationException($"{node}: {reason.ToText()}");
        }
    }

    private void CountCut(WrittenLog log, ulong from)
    {
        for (ulong i = from; i <= log.Last; i++)
        {
            if (log.TermAt(i) is { } term && register.Contains(i, term) && register[i, term].Kind == EntryKind.Configuration)
            {
                counters.Add(RaftSometimes.ChangeEntryCut);
            }
        }

        (_, int terms) = log.Cut(from);
        counters.Add(RaftSometimes.TailCut);
        if (terms > 1)
        {
            counters.Add(RaftSometimes.TailOfTwoTermsCut);
        }
    }

    private void Vote(RaftSimNode node, ulong term, MemberId candidate)
    {
        MemberId first = votes.TryGetValue((term, node.Id), out MemberId former) ? former : candidate;
        votes[(term, node.Id)] = first;
        Require(first == candidate, node, $"two votes in term {term}: {first} and {candidate}");
    }

    private void Acknowledge(RaftSimNode node, in RaftMessage message)
    {
        RaftDisk disk = node.Disk;
        Require(disk.State.Term >= message.Term, node, $"it acknowledges in term {message.Term} before that is durable");
        Require(
            message.Index <= disk.Snapshot.Mark.Index || message.Index <= disk.LastIndex, node,
            $"it acknowledges {message.Index}, durable is {disk.LastIndex}");
        if (Find(message.To) is { Core: { Role: RaftRole.Leader } leader } && leader.Term == message.Term
            && message.Index > disk.Snapshot.Mark.Index && leader.TermAt(message.Index) is var theirs && theirs != 0)
        {
            Require(disk.Holds(message.Index, theirs), node, $"it acknowledges {message.Index}, which the leader has with term {theirs}");
        }
    }

    private void Elected(RaftSimNode node, RaftCore core)
    {
        ulong term = core.Term;
        if (!leaders.TryAdd(term, node.Id) && leaders[term] != node.Id)
        {
            Require(false, node, $"election safety: two leaders in term {term}, the other is {leaders[term]}");
        }

        Require(
            node.Disk.State.Term == term && node.Disk.State.Vote == node.Id, node, $"it leads term {term} with {node.Disk.State} on its disk");
        Vote(node, term, node.Id);
        MemberId self = node.Id;
        Require(
            Majorities.Decide(core.Configuration, voter => votes.GetValueOrDefault((term, voter)) == self), node,
            $"it leads term {term} without the votes of a majority of {core.Configuration}");
        counters.Add(RaftSometimes.LeaderElected);
        for (ulong i = committed.Last; i > 0; i--)
        {
            if (committed[i].CommitTerm < term)
            {
                RequireEntry(node, core, i);
                break;
            }
        }

        if (nodes.Any(other => other != node && other.IsLeading))
        {
            counters.Add(RaftSometimes.TwoLeadersAtOnce);
        }
    }

    private void RequireEntry(RaftSimNode node, RaftCore core, ulong index)
    {
        ulong term = core.TermAt(index);
        Require(
            term == committed.TermAt(index) || index <= core.Snapshot.Index, node,
            $"leader completeness: the leader of term {core.Term} has term {term} at the committed entry {index} of term {committed.TermAt(index)}");
    }

    private void Committed(RaftSimNode node, RaftCore core, ulong commit)
    {
        Require(commit <= core.LastIndex, node, $"commit {commit} beyond its log, which ends at {core.LastIndex}");
        ulong term = core.TermAt(commit);
        Require(term == core.Term, node, $"it commits {commit} of term {term} by counting, in term {core.Term}");
        bool IsDurable(MemberId voter) => Find(voter)?.Disk.Holds(commit, term) == true;
        // A leader may still count by the members before, while who was removed is wiped already: then those that are left have it.
        Require(
            Majorities.Decide(core.Configuration, IsDurable) || Majorities.Decide(committed.ConfigurationAt(committed.Last), IsDurable), node,
            $"it commits {commit}, which is not on the disks of a majority of {core.Configuration}: only {Holders(commit, term)} have it");
        if (core.TermAt(committed.Last + 1) is var oldest && oldest != 0 && oldest < core.Term)
        {
            counters.Add(RaftSometimes.CommitOfOlderTermByNewer);
        }

        for (ulong i = committed.Last + 1; i <= commit; i++)
        {
            Configuration before = committed.ConfigurationAt(i - 1);
            committed.Add(register[i, core.TermAt(i)], core.Term);
            Reconfigured(node, before, committed.ConfigurationAt(i));
        }

        foreach (RaftSimNode other in nodes)
        {
            if (other.IsLeading && other.Core!.Term > core.Term)
            {
                RequireEntry(other, other.Core, commit);
            }
        }
    }

    private string Holders(ulong index, ulong term) =>
        string.Join(", ", nodes.Where(n => n.Disk.Holds(index, term)).Select(static n => $"{n} as {n.Id}"));

    private void Reconfigured(RaftSimNode node, Configuration before, Configuration after)
    {
        if (ReferenceEquals(before, after))
        {
            return;
        }

        Require(!Majorities.CanSplit(before, after), node, $"{before} and {after} can decide apart");
        Count(before, after);
        foreach (MemberId member in before.Members)
        {
            if (!after.Contains(member))
            {
                Removed[member] = committed.Last;
            }
        }

        foreach (MemberId member in after.Members)
        {
            if (Removed.Remove(member))
            {
                counters.Add(RaftSometimes.MemberReturned);
            }
        }
    }

    private void Count(Configuration before, Configuration after)
    {
        if (before.IsJoint != after.IsJoint)
        {
            counters.Add(after.IsJoint ? RaftSometimes.JointEntered : RaftSometimes.JointLeft);
        }

        if (before.Learners.Any(m => after.Voters.Contains(m)))
        {
            counters.Add(RaftSometimes.LearnerPromoted);
        }

        if (after.Learners.Any(before.IsVoter))
        {
            counters.Add(RaftSometimes.VoterDemoted);
        }

        foreach (MemberId gone in before.Members.Where(m => before.IsVoter(m) && !after.Contains(m)))
        {
            counters.Add(RaftSometimes.VoterRemoved);
            if (Find(gone) is { IsLeading: true })
            {
                counters.Add(RaftSometimes.LeaderRemoved);
            }
        }
    }

    private RaftSimNode? Find(MemberId id)
    {
        foreach (RaftSimNode node in nodes)
        {
            if (node.Id == id)
            {
                return node;
            }
        }

        return null;
    }
}

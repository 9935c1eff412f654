using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>
/// Changes of members. A change is an entry with the whole new configuration, and holds when it is applied. There is at
/// most one that is not: so the configuration that a change starts from is the one that it replaces.
/// </summary>
public sealed partial class RaftCore
{
    /// <summary>Configurations behind the newest snapshot, by the entry that brought them.</summary>
    private readonly List<(ulong Index, Configuration Configuration)> history = [];

    /// <summary>Up to here changes of members that are committed are in <see cref="state"/>.</summary>
    private ulong changesNoted;

    /// <summary>No other change before this entry is applied.</summary>
    private ulong changePending;

    private bool IsLeaveDue =>
        role == RaftRole.Leader && Configuration.IsJoint && Configuration.AutoLeave && IsChangeAllowed && transferTarget.IsNone;

    /// <summary>
    /// All changes before are applied, and an entry of this term is committed: without that, a change of an earlier leader
    /// could still win over this one (Ongaro, raft-dev, 2015).
    /// </summary>
    private bool IsChangeAllowed => changePending <= log.Applied && HasCommittedInTerm;

    /// <summary>Add, promote, demote and remove members. The shell keeps watch that enough of them are alive.</summary>
    public ProposeOutcome ProposeConfiguration(ReadOnlySpan<MemberChange> changes, ChangeMode mode = ChangeMode.Auto)
    {
        if (ChangeRefusal() is { } refusal)
        {
            return Refused(refusal);
        }

        Configuration? next = ConfigurationChanger.TryChange(Configuration, changes, mode, out string reason);
        return next is null ? Refused(ProposeStatus.Invalid, reason) : ProposeChange(next);
    }

    /// <summary>The end of a change with <see cref="ChangeMode.JointExplicit"/>.</summary>
    public ProposeOutcome ProposeLeaveJoint()
    {
        if (ChangeRefusal() is { } refusal)
        {
            return Refused(refusal);
        }

        Configuration? next = ConfigurationChanger.TryLeave(Configuration, out string reason);
        return next is null ? Refused(ProposeStatus.Invalid, reason) : ProposeChange(next);
    }

    /// <summary>A learner that lags little and is heard: it can be made a voter without risk for the next commits.</summary>
    public bool IsCaughtUp(MemberId member) =>
        role == RaftRole.Leader && members.Find(member) is { } progress && IsCaughtUp(progress);

    private bool IsCaughtUp(Progress progress) =>
        progress.State == ProgressState.Replicate && progress.IsRecentlyActive
        && progress.Match + (ulong)options.CaughtUpEntries >= log.Last;

    private ProposeStatus? ChangeRefusal() =>
        role != RaftRole.Leader ? ProposeStatus.NotLeader
        : !transferTarget.IsNone ? ProposeStatus.Transferring
        : !IsChangeAllowed ? ProposeStatus.ChangePending
        : null;

    private ProposeOutcome ProposeChange(Configuration next)
    {
        ProposeOutcome outcome = Propose(EntryKind.Configuration, next.ToBytes());
        changePending = outcome.Index;
        return outcome;
    }

    private void LeaveIfDue()
    {
        if (IsLeaveDue)
        {
            Configuration? next = ConfigurationChanger.TryLeave(Configuration, out _);
            Invariant.Holds(next is not null, "a joint configuration can be left");
            ProposeChange(next);
        }
    }

    /// <summary>
    /// Only of entries that are durable: the hard state is written before the entries of the same write, and must not claim
    /// what a crash in between would leave out.
    /// </summary>
    private void NoteChanges()
    {
        ulong limit = Math.Min(log.Commit, log.Durable);
        for (ulong index = Math.Max(changesNoted + 1, log.First); index <= limit; index++)
        {
            if (index > state.Committed && log.At(index).Kind == EntryKind.Configuration)
            {
                state = state with { Committed = index };
            }
        }

        changesNoted = Math.Max(changesNoted, limit);
    }

    private void ApplyConfiguration(in LogEntry entry)
    {
        if (history[^1].Index >= entry.Index)
        {
            // A snapshot that came meanwhile has brought a later one.
            return;
        }

        Enter(entry.Index, ReadConfiguration(entry));
        if (role != RaftRole.Leader)
        {
            if (role != RaftRole.Follower && !members.IsSelfVoter)
            {
                Follow(state.Term, MemberId.None);
            }

            return;
        }

        members.Self?.Own(log.Durable);
        if (!transferTarget.IsNone && !Configuration.IsVoter(transferTarget))
        {
            transferTarget = MemberId.None;
        }

        // A majority of fewer may have more; and members that are new shall hear at once.
        CommitMore();
        ConfirmRound();
        appendsDue = true;
        if (options.StepDownOnRemoval && !members.IsSelfVoter)
        {
            SendAppends();
            Follow(state.Term, MemberId.None);
        }
    }

    private void Enter(ulong index, Configuration configuration)
    {
        history.Add((index, configuration));
        members.Enter(configuration, log.Last + 1);
        effects.ConfigurationChanged = true;
    }

    private void RecoverConfiguration(RaftRecovered found)
    {
        history.Add((log.Snapshot.Index, found.Configuration));
        foreach (LogEntry entry in found.Entries)
        {
            if (entry.Kind == EntryKind.Configuration && entry.Index > log.Snapshot.Index && entry.Index <= log.Applied)
            {
                history.Add((entry.Index, ReadConfiguration(entry)));
            }
        }

        members.Enter(history[^1].Configuration, log.Last + 1);
    }

    private Configuration ConfigurationAt(ulong index)
    {
        int at = history.Count - 1;
        while (at > 0 && history[at].Index > index)
        {
            at--;
        }

        return history[at].Configuration;
    }

    private static Configuration ReadConfiguration(in LogEntry entry)
    {
        bool isRead = Configuration.TryRead(entry.Data.Span, out Configuration? configuration);
        Invariant.Holds(isRead && configuration is not null, $"entry {entry.Index} is a configuration");
        return configuration;
    }
}

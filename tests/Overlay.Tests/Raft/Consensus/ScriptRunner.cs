using System.Globalization;
using System.Text;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>
/// Performs a script, a block for each command, and writes what came of it behind. Disks and state machines do nothing by
/// themselves unless "auto on" is said, and messages stay on their way until they are delivered.
/// </summary>
internal sealed class ScriptRunner
{
    private readonly StringBuilder output = new();
    private readonly RaftRig rig;
    private bool isAuto;
    private bool isSilent;
    private bool isBeatHidden;
    private RaftOptions options = RaftRig.Standard;

    public ScriptRunner() => rig = new() { IsManual = true, Told = Show };

    /// <summary>The script with what really came of each command.</summary>
    public static string Run(string script)
    {
        ScriptRunner runner = new();
        StringBuilder result = new();
        foreach (string block in script.Replace("\r", "", StringComparison.Ordinal).Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            string[] lines = [.. block.Trim('\n').Split('\n').TakeWhile(static l => l != "----")];
            string[] commands = [.. lines.Where(static l => l.Length > 0 && l[0] != '#')];
            runner.output.Clear();
            foreach (string command in commands)
            {
                runner.Do(command.Split(' ', StringSplitOptions.RemoveEmptyEntries));
            }

            result.AppendJoin('\n', lines).Append('\n');
            if (commands.Length > 0)
            {
                result.Append("----\n").Append(runner.output.Length == 0 ? "nothing\n" : runner.output.ToString());
            }

            result.Append('\n');
        }

        return result.ToString().TrimEnd('\n') + "\n";
    }

    private void Do(string[] words)
    {
        RaftFake Member() => rig[Number(words[1])];
        switch (words[0])
        {
            case "options":
                options = Options(words.AsSpan(1));
                break;
            case "auto":
                Automate(words[1] == "on");
                break;
            case "add-nodes":
                AddNodes(words.AsSpan(1));
                break;
            case "add-node":
                AddNode(Number(words[1]), Number(words[2]), words[3]);
                break;
            case "campaign":
                Member().Campaign();
                break;
            case "propose":
                Say(Member().Propose(words[2]));
                break;
            case "change":
                Say(Change(Member(), words.AsSpan(2)));
                break;
            case "leave":
                ProposeOutcome outcome = default;
                Member().Do((core, _, _) => outcome = core.ProposeLeaveJoint());
                Say(outcome);
                break;
            case "read":
                Member().Read(Number(words[2]));
                break;
            case "transfer":
                Line(Member().TransferTo(Number(words[2])) ? "begun" : "refused");
                break;
            case "forget-leader":
                Member().Do((core, at, into) => core.ForgetLeader(at, into));
                break;
            case "unreachable":
                Member().Do((core, _, _) => core.Unreachable(new(Number(words[2]))));
                break;
            case "complete-write":
                Member().CompleteWrite();
                break;
            case "apply":
                Member().ApplyOpen();
                break;
            case "compact":
                Member().Compact(Number(words[2]));
                break;
            case "corrupt":
                Member().Corruption = 1;
                break;
            case "restart":
                Member().Restart();
                Member().CompletesWrites = Member().Applies = isAuto;
                break;
            case "status":
                ShowStatus(Member().Core.Status());
                break;
            case "log":
                ShowLog(Member());
                break;
            default:
                DoNetwork(words);
                break;
        }
    }

    private void DoNetwork(string[] words)
    {
        switch (words[0])
        {
            case "deliver":
                Deliver(words.AsSpan(1), isLost: false);
                break;
            case "drop":
                Deliver(words.AsSpan(1), isLost: true);
                break;
            case "stabilize":
                Stabilize();
                break;
            case "advance":
                rig.Pass(TimeSpan.FromMilliseconds(Number(words[1])));
                break;
            case "run":
                Run(TimeSpan.FromMilliseconds(Number(words[1])));
                break;
            case "lead":
                isSilent = true;
                rig[Number(words[1])].Campaign();
                Stabilize();
                isSilent = false;
                Line($"{rig.Leader.Id} leads in term {rig.Leader.Core.Term}");
                break;
            case "cut":
                rig.Cut(Number(words[1]), Number(words[2]));
                break;
            case "isolate":
                rig.Isolate(Number(words[1]));
                break;
            case "heal":
                rig.Heal();
                break;
            default:
                Assert.Fail($"no such verb: {words[0]}");
                break;
        }
    }

    private void Automate(bool on)
    {
        isAuto = on;
        foreach (RaftFake member in rig.Members)
        {
            member.CompletesWrites = member.Applies = on;
        }
    }

    /// <summary>A count: members 1 to that, all voters. Or ids: each alone and empty, to be added. With log=1,1,2: such logs.</summary>
    private void AddNodes(ReadOnlySpan<string> words)
    {
        LogEntry[] log = [];
        List<ulong> ids = [];
        foreach (string word in words)
        {
            if (word.StartsWith("log=", StringComparison.Ordinal))
            {
                log = RaftRig.LogOf([.. word[4..].Split(',').Select(Number)]);
            }
            else
            {
                ids.Add(Number(word.TrimStart('+')));
            }
        }

        bool isNew = words[0][0] == '+';
        ulong[] all = isNew ? [.. ids] : [.. Enumerable.Range(1, (int)ids[0]).Select(static i => (ulong)i)];
        foreach (ulong id in all)
        {
            RaftFake member = rig.Add(id, isNew ? Configuration.Empty : RaftRig.Voters(all), log, options: options);
            member.CompletesWrites = member.Applies = isAuto;
        }
    }

    private void AddNode(ulong id, ulong voters, string log)
    {
        ulong[] all = [.. Enumerable.Range(1, (int)voters).Select(static i => (ulong)i)];
        RaftFake member = rig.Add(id, RaftRig.Voters(all), RaftRig.LogOf([.. log.Split(',').Select(Number)]), options: options);
        member.CompletesWrites = member.Applies = isAuto;
    }

    private static ProposeOutcome Change(RaftFake member, ReadOnlySpan<string> words)
    {
        List<MemberChange> changes = [];
        ChangeMode mode = ChangeMode.Auto;
        foreach (string word in words)
        {
            switch (word[0])
            {
                case 'v':
                    changes.Add(new(MemberChangeKind.AddVoter, new(Number(word[1..]))));
                    break;
                case 'l':
                    changes.Add(new(MemberChangeKind.AddLearner, new(Number(word[1..]))));
                    break;
                case 'r':
                    changes.Add(new(MemberChangeKind.Remove, new(Number(word[1..]))));
                    break;
                default:
                    mode = Enum.Parse<ChangeMode>(word, ignoreCase: true);
                    break;
            }
        }

        return member.Change(mode, changes.ToArray());
    }

    private static RaftOptions Options(ReadOnlySpan<string> words)
    {
        RaftOptions options = RaftRig.Standard;
        foreach (string word in words)
        {
            string[] pair = word.Split('=');
            options = pair[0] switch
            {
                "pre-vote" => options with { PreVote = pair[1] == "on" },
                "check-quorum" => options with { CheckQuorum = pair[1] == "on" },
                "step-down" => options with { StepDownOnRemoval = pair[1] == "on" },
                "inflight" => options with { MaxInflightMessages = (int)Number(pair[1]) },
                "message-bytes" => options with { MaxMessageBytes = (int)Number(pair[1]) },
                "uncommitted" => options with { MaxUncommittedBytes = (int)Number(pair[1]) },
                "writes" => options with { MaxOutstandingWrites = (int)Number(pair[1]) },
                "apply" => options with { MaxApplyEntries = (int)Number(pair[1]) },
                _ => throw new InvalidOperationException($"no such option: {pair[0]}"),
            };
        }

        return options;
    }

    /// <summary>What is on its way now, not what comes of it. from=, to= and kind= choose.</summary>
    private void Deliver(ReadOnlySpan<string> words, bool isLost)
    {
        RaftMessage[] chosen = [.. rig.Queue];
        foreach (string word in words)
        {
            string[] pair = word.Split('=');
            chosen = [.. chosen.Where(m => pair[0] switch
            {
                "from" => m.From.Value == Number(pair[1]),
                "to" => m.To.Value == Number(pair[1]),
                "kind" => m.Kind.ToString() == pair[1],
                _ => throw new InvalidOperationException($"no such choice: {word}"),
            })];
        }

        foreach (RaftMessage message in chosen)
        {
            rig.Queue.Remove(message);
            Line($"{(isLost ? "lost" : "delivered")} {Text(message)}");
            if (!isLost)
            {
                rig.Deliver(message);
            }
            else if (message.Kind == MessageKind.InstallSnapshot)
            {
                rig[message.From.Value].Do((core, _, _) => core.SnapshotSent(message.To, false));
            }
        }
    }

    /// <summary>Time passes, and everything happens by itself. Heartbeats are not shown.</summary>
    private void Run(TimeSpan duration)
    {
        bool wasAuto = isAuto;
        Automate(true);
        isBeatHidden = true;
        rig.IsManual = false;
        rig.Pass(duration);
        rig.IsManual = true;
        isBeatHidden = false;
        Automate(wasAuto);
    }

    /// <summary>Until nothing is on its way, being written or to be applied.</summary>
    private void Stabilize()
    {
        for (int round = 0; round < 100; round++)
        {
            bool isQuiet = rig.Queue.Count == 0;
            Deliver([], isLost: false);
            foreach (RaftFake member in rig.Members)
            {
                while (member.Writes.Count > 0 || member.Open is not null || member.Restoring is not null)
                {
                    isQuiet = false;
                    if (member.Writes.Count > 0)
                    {
                        Line($"{member.Id}: write {member.Writes.Peek().Number} is durable");
                        member.CompleteWrite();
                    }
                    else
                    {
                        member.ApplyOpen();
                    }
                }
            }

            if (isQuiet)
            {
                return;
            }
        }

        Assert.Fail("it comes to rest");
    }

    private void Show(RaftFake member, RaftEffects effects)
    {
        MemberId id = member.Id;
        if (effects.RoleChanged)
        {
            Line($"{id}: {member.Core.Role}, term {member.Core.Term}, leader {member.Core.Leader}");
        }

        if (effects.ConfigurationChanged)
        {
            Line($"{id}: members {member.Core.Configuration}");
        }

        foreach (LogWrite write in effects.Writes)
        {
            string state = write.State is { } s ? $" term {s.Term} vote {s.Vote}" + (s.Committed == 0 ? "" : $" change {s.Committed}") : "";
            string cut = write.TruncateFrom == 0 ? "" : $" void from {write.TruncateFrom}";
            string install = write.Install is { } mark ? $" snapshot {mark.Index}/{mark.Term}" : "";
            Line($"{id}: write {write.Number}{state}{install}{cut}{Text(write.Entries)}");
        }

        foreach (RaftMessage message in effects.Messages.Concat(effects.SnapshotsWanted))
        {
            if (isBeatHidden && message.Kind is (MessageKind.Heartbeat or MessageKind.HeartbeatResponse))
            {
                continue;
            }

            Line($"{Text(message)}");
        }

        if (effects.Apply is { } batch)
        {
            Line($"{id}: apply{Text(batch.Entries)}");
        }

        if (effects.Restore is { } restore)
        {
            Line($"{id}: load snapshot {restore.Index}/{restore.Term}");
        }

        foreach (ReadResult read in effects.Reads)
        {
            Line($"{id}: read {read.Context} {(read.Lost ? "is lost" : $"at {read.Index}")}");
        }

        foreach (Divergence divergence in effects.Diverged)
        {
            Line($"{id}: STATE DIVERGED from {divergence.Member} at {divergence.Index}");
        }
    }

    private void ShowStatus(RaftStatus status)
    {
        Line($"{status.Self}: {status.Role}, term {status.Term}, vote {status.Vote}, leader {status.Leader}, members {status.Configuration}");
        Line($"   log {status.FirstIndex}..{status.LastIndex}, durable {status.Durable}, commit {status.Commit}, "
            + $"applied {status.Applied}, snapshot {status.Snapshot.Index}/{status.Snapshot.Term}"
            + (status.TransferTarget.IsNone ? "" : $", handing over to {status.TransferTarget}"));
        foreach (MemberProgress member in status.Members)
        {
            Line($"   {member.Member}: {member.State} match {member.Match} next {member.Next}"
                + (member.PendingSnapshot == 0 ? "" : $" snapshot {member.PendingSnapshot}")
                + (member.Inflight == 0 ? "" : $" inflight {member.Inflight}")
                + (member.RecentlyActive ? "" : " silent") + (member.IsLearner ? " learner" : "")
                + (member.IsLearner && member.IsCaughtUp ? " caught-up" : ""));
        }
    }

    private void ShowLog(RaftFake member) =>
        Line($"{member.Id}: log{(member.Core.LastIndex < member.Core.FirstIndex ? " empty" : "")}" + string.Concat(
            member.LogTerms().Select((term, i) => $" {member.Core.FirstIndex + (ulong)i}/{term}"))
            + $"; state {string.Join(' ', member.State.Where(static s => s.Length > 0))}");

    private void Say(ProposeOutcome outcome) => Line(
        outcome.IsAccepted ? $"accepted at {outcome.Index}/{outcome.Term}"
        : $"{outcome.Status}, leader {outcome.Leader}" + (outcome.Reason is { } reason ? $": {reason}" : ""));

    private static string Text(in RaftMessage m)
    {
        string text = $"{m.From} -> {m.To} {m.Kind} term {m.Term}";
        text += m.Kind switch
        {
            MessageKind.Append => $" after {m.Index}/{m.LogTerm} commit {m.Commit}{Text(m.Entries)}",
            MessageKind.AppendResponse when m.Reject => $" refused {m.Index} hint {m.RejectHint}/{m.LogTerm}",
            MessageKind.AppendResponse => $" has {m.Index}",
            MessageKind.Vote or MessageKind.PreVote => $" log {m.Index}/{m.LogTerm}",
            MessageKind.Heartbeat => $" commit {m.Commit}",
            MessageKind.InstallSnapshot => $" snapshot {m.Snapshot.Index}/{m.Snapshot.Term} members {m.Configuration}",
            MessageKind.ReadResponse when !m.Reject => $" index {m.Index}",
            _ => m.Reject ? " refused" : "",
        };
        text += m.Kind is MessageKind.Heartbeat or MessageKind.HeartbeatResponse && m.Context > 0 ? $" reads {m.Context}" : "";
        return text + (m.Transfer ? " by transfer" : "");
    }

    private static string Text(ReadOnlyMemory<LogEntry> entries)
    {
        StringBuilder text = new();
        foreach (LogEntry entry in entries.Span)
        {
            string data = entry.Kind switch
            {
                EntryKind.Blank => "blank",
                EntryKind.Configuration => Configuration.TryRead(entry.Data.Span, out Configuration? c) ? c!.ToString() : "?",
                _ => Encoding.UTF8.GetString(entry.Data.Span),
            };
            text.Append(CultureInfo.InvariantCulture, $" [{entry.Index}/{entry.Term} {data}]");
        }

        return text.ToString();
    }

    private void Line(string line)
    {
        if (!isSilent)
        {
            output.Append(line).Append('\n');
        }
    }

    private static ulong Number(string word) => ulong.Parse(word, CultureInfo.InvariantCulture);
}

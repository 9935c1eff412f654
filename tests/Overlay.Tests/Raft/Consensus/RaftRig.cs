using System.Text;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Members and the network between them: one queue, links that can be cut, messages that can be lost or looked at.</summary>
internal sealed class RaftRig
{
    private readonly SortedDictionary<MemberId, RaftFake> members = [];
    private readonly HashSet<(ulong From, ulong To)> cut = [];
    private readonly HashSet<MessageKind> ignored = [];

    public static RaftOptions Standard { get; } = new();

    /// <summary>Without PreVote and CheckQuorum: Raft as in the paper.</summary>
    public static RaftOptions Plain { get; } = new() { PreVote = false, CheckQuorum = false };

    public ulong Seed { get; init; } = 1;

    public Instant Now { get; private set; } = new(1_000_000_000);

    /// <summary>On their way.</summary>
    public List<RaftMessage> Queue { get; } = [];

    /// <summary>Everything that any member has sent, in order.</summary>
    public List<RaftMessage> Sent { get; } = [];

    /// <summary>False: the message is lost.</summary>
    public Func<RaftMessage, bool> Hook { get; set; } = static _ => true;

    public Action<RaftFake, RaftEffects> Told { get; set; } = static (_, _) => { };

    /// <summary>Messages stay in the queue until <see cref="Deliver()"/>.</summary>
    public bool IsManual { get; set; }

    public IEnumerable<RaftFake> Members => members.Values;

    public RaftFake this[ulong id] => members[new(id)];

    public RaftFake Leader => Members.Single(static m => m.Core.Role == RaftRole.Leader);

    /// <summary>Members 1 to n, all voters, with empty logs.</summary>
    public static RaftRig Of(int count, RaftOptions? options = null, ulong seed = 1)
    {
        RaftRig rig = new() { Seed = seed };
        Configuration all = Voters([.. Enumerable.Range(1, count).Select(static i => (ulong)i)]);
        for (ulong id = 1; id <= (ulong)count; id++)
        {
            rig.Add(id, all, options: options);
        }

        return rig;
    }

    /// <summary>Of n members, one of which was elected by the others' votes and has committed in its term.</summary>
    public static RaftRig Led(int count, RaftOptions? options = null, ulong leader = 1, ulong seed = 1)
    {
        RaftRig rig = Of(count, options, seed);
        rig[leader].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[leader].Core.Role);
        return rig;
    }

    public static Configuration Voters(params ulong[] ids) => Configuration.OfVoters([.. ids.Select(static id => new MemberId(id))]);

    /// <summary>A log of these terms, from index 1 on, each entry's data its place.</summary>
    public static LogEntry[] LogOf(params ulong[] terms) =>
        [.. terms.Select(static (term, i) => new LogEntry((ulong)i + 1, term, Encoding.UTF8.GetBytes($"{term}.{i + 1}")))];

    public RaftFake Add(
        ulong id, Configuration configuration, LogEntry[]? log = null, HardState? state = null, RaftOptions? options = null)
    {
        log ??= [];
        RaftFake member = new(
            this,
            new(id),
            new()
            {
                Configuration = configuration,
                Entries = log,
                State = state ?? new(log.Length == 0 ? 0 : log[^1].Term, MemberId.None),
            },
            options ?? Standard);
        members[new(id)] = member;
        return member;
    }

    public static RaftMessage Message(MessageKind kind, ulong from, ulong to, ulong term) =>
        new() { Kind = kind, From = new(from), To = new(to), Term = term };

    /// <summary>What was sent from now on, without what is older.</summary>
    public void Forget()
    {
        Sent.Clear();
        Queue.Clear();
    }

    /// <summary>The member is in that role, in term 1 if it is more than a follower; nothing is on its way.</summary>
    public static RaftRig InRole(RaftRole role, RaftOptions options, int count = 3)
    {
        RaftRig rig = role == RaftRole.Leader ? Led(count, options) : Of(count, options);
        rig.IsManual = true;
        if (role is RaftRole.Candidate or RaftRole.PreCandidate)
        {
            rig[1].Campaign();
        }

        Assert.Equal(role, rig[1].Core.Role);
        rig.Forget();
        return rig;
    }

    public void Tell(RaftFake member, RaftEffects effects) => Told(member, effects);

    public void Post(in RaftMessage message)
    {
        Sent.Add(message);
        Queue.Add(message);
    }

    public (SnapshotMark Mark, Configuration Configuration, string[] State) Bytes(in RaftMessage message) =>
        members[message.From].SnapshotAt(message.Snapshot.Index);

    /// <summary>Everything that is on its way, and what comes of it.</summary>
    public void Deliver()
    {
        int steps = 0;
        while (Queue.Count > 0)
        {
            Assert.True(++steps < 100_000, "the network comes to rest");
            RaftMessage message = Queue[0];
            Queue.RemoveAt(0);
            Deliver(message);
        }
    }

    public void Deliver(in RaftMessage message)
    {
        bool isLost = cut.Contains((message.From.Value, message.To.Value)) || ignored.Contains(message.Kind)
            || !members.ContainsKey(message.To) || !Hook(message);
        if (!isLost)
        {
            members[message.To].Receive(message);
        }

        if (message.Kind == MessageKind.InstallSnapshot && members.TryGetValue(message.From, out RaftFake? sender))
        {
            MemberId to = message.To;
            sender.Do((core, _, _) => core.SnapshotSent(to, !isLost));
        }
    }

    /// <summary>One message of that kind from the queue.</summary>
    public RaftMessage Take(MessageKind kind, ulong to)
    {
        int at = Queue.FindIndex(m => m.Kind == kind && m.To.Value == to);
        Assert.True(at >= 0, $"a {kind} to {to} is on its way");
        RaftMessage message = Queue[at];
        Queue.RemoveAt(at);
        return message;
    }

    public void Cut(ulong one, ulong other)
    {
        cut.Add((one, other));
        cut.Add((other, one));
    }

    public void CutOneWay(ulong from, ulong to) => cut.Add((from, to));

    public void Isolate(ulong id)
    {
        foreach (RaftFake other in Members.Where(m => m.Id.Value != id))
        {
            Cut(id, other.Id.Value);
        }
    }

    public void Ignore(MessageKind kind) => ignored.Add(kind);

    public void Heal()
    {
        cut.Clear();
        ignored.Clear();
        Hook = static _ => true;
    }

    /// <summary>Time for nobody's clock but the rig's: members learn of it with their next input.</summary>
    public void Skip(TimeSpan duration) => Now += duration;

    /// <summary>Time passes; each member is called when it wants to be.</summary>
    public void Pass(TimeSpan duration)
    {
        Instant end = Now + duration;
        while (true)
        {
            Instant next = Members.Select(static m => m.Core.NextDeadline).Append(Instant.Never).Min();
            if (next > end)
            {
                break;
            }

            Now = next > Now ? next : Now;
            foreach (RaftFake member in Members.Where(m => m.Core.NextDeadline <= Now).ToArray())
            {
                member.Advance();
            }

            if (!IsManual)
            {
                Deliver();
            }
        }

        Now = end;
    }

    /// <summary>All logs are equal, and all of it is committed and applied everywhere.</summary>
    public void AssertAgreed(params ulong[] ids)
    {
        RaftFake[] all = [.. ids.Select(id => this[id])];
        foreach (RaftFake member in all)
        {
            Assert.Equal(all[0].Core.LastIndex, member.Core.LastIndex);
            Assert.Equal(all[0].Core.CommitIndex, member.Core.CommitIndex);
            Assert.Equal(member.Core.LastIndex, member.Core.CommitIndex);
            Assert.Equal(member.Core.CommitIndex, member.Core.AppliedIndex);
            Assert.Equal(all[0].State, member.State);
            for (ulong index = Math.Max(all[0].Core.FirstIndex, member.Core.FirstIndex); index <= member.Core.LastIndex; index++)
            {
                Assert.Equal(all[0].Core.TermAt(index), member.Core.TermAt(index));
            }
        }
    }
}

using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>
/// Short random runs with everything that can go wrong between members: order, loss, repetition, slow disks, crashes, cuts,
/// changes of members, snapshots. After each step what may never happen is looked for; at the end all must agree.
/// </summary>
public sealed class RandomRunTests
{
    [Fact]
    public void Nothing_that_is_committed_is_ever_another_entry()
    {
        int changes = 0;
        int snapshots = 0;
        int leaders = 0;
        int reads = 0;
        for (ulong seed = 1; seed <= 40; seed++)
        {
            Run run = new(seed);
            run.Disturb(900);
            run.Heal();
            changes += run.Changes;
            snapshots += run.Snapshots;
            leaders += run.Leaders;
            reads += run.Reads;
        }

        // Runs in which nothing happens would show nothing.
        Assert.True(changes > 15 && snapshots > 20 && leaders > 60 && reads > 20, $"{changes} {snapshots} {leaders} {reads}");
    }

    private sealed class Run
    {
        private readonly RaftRig rig;
        private readonly Prng prng;
        private readonly SortedDictionary<ulong, MemberId> leaders = [];
        private readonly List<(ulong Term, string Data)> committed = [];
        private readonly Dictionary<ulong, ulong> asked = [];
        private readonly ulong[] ids;
        private readonly bool isPlain;
        private ulong nextRead;
        private int proposals;

        public Run(ulong seed)
        {
            prng = new(seed);
            ulong voters = 1 + (ulong)prng.Next(5);

            // As in the paper, where removed members disturb: so there none is.
            isPlain = prng.Chance(0.3);
            RaftOptions options = new()
            {
                PreVote = !isPlain,
                CheckQuorum = !isPlain,
                MaxOutstandingWrites = 1 + prng.Next(4),
                MaxInflightMessages = 1 + prng.Next(8),
                MaxMessageBytes = prng.Chance(0.5) ? 10 : 1000,
                MaxApplyEntries = 1 + prng.Next(10),
            };
            ids = [.. Enumerable.Range(1, 6).Select(static i => (ulong)i)];
            rig = new() { Seed = seed * 1000, IsManual = true };
            foreach (ulong id in ids)
            {
                RaftFake member = rig.Add(
                    id, id <= voters ? RaftRig.Voters(ids[..(int)voters]) : Configuration.Empty, options: options);
                member.CompletesWrites = false;
                member.Applies = false;
            }
        }

        public int Changes { get; private set; }

        public int Snapshots { get; private set; }

        public int Leaders => leaders.Count;

        public int Reads { get; private set; }

        public void Disturb(int steps)
        {
            for (int step = 0; step < steps; step++)
            {
                Step(rig[ids[prng.Next(ids.Length)]]);
                Note();
                if (step % 25 == 0)
                {
                    Check();
                }
            }
        }

        /// <summary>Everything works again: whoever is a member agrees, and takes a new entry.</summary>
        public void Heal()
        {
            rig.Heal();
            rig.IsManual = false;
            foreach (RaftFake member in rig.Members)
            {
                member.CompletesWrites = true;
                member.Applies = true;
                member.Settle();
            }

            rig.Deliver();
            rig.Pass(TimeSpan.FromSeconds(30));
            Check();
            RaftFake leader = rig.Members.Where(static m => m.Core.Role == RaftRole.Leader).MaxBy(static m => m.Core.Term)!;
            Assert.NotNull(leader);
            Assert.True(leader.Propose("last").IsAccepted);
            rig.Deliver();
            rig.Pass(TimeSpan.FromSeconds(3));
            Check();
            Assert.False(leader.Core.Configuration.IsJoint);
            rig.AssertAgreed([.. leader.Core.Configuration.Members.Select(static m => m.Value)]);
            Assert.Equal("last", leader.State[^1]);
            Assert.Equal(0, leader.Core.UncommittedBytes);
            Assert.All(rig.Members, static m => Assert.Empty(m.Diverged));
        }

        private void Step(RaftFake member)
        {
            int choice = prng.Next(100);
            if (choice < 45 && rig.Queue.Count > 0)
            {
                Deliver();
            }
            else if (choice < 65)
            {
                Work(member);
            }
            else if (choice < 75)
            {
                rig.Skip(TimeSpan.FromMilliseconds(prng.Next(200)));
                member.Advance();
            }
            else if (choice < 85)
            {
                member.Propose($"{proposals++}");
            }
            else
            {
                Disturb(member, choice);
            }
        }

        private void Deliver()
        {
            int at = prng.Chance(0.7) ? 0 : prng.Next(rig.Queue.Count);
            RaftMessage message = rig.Queue[at];
            if (!prng.Chance(0.05))
            {
                rig.Queue.RemoveAt(at);
            }

            if (!prng.Chance(0.05))
            {
                rig.Deliver(message);
            }
            else if (message.Kind == MessageKind.InstallSnapshot)
            {
                rig[message.From.Value].Do((core, _, _) => core.SnapshotSent(message.To, false));
            }
        }

        private static void Work(RaftFake member)
        {
            if (member.Writes.Count > 0)
            {
                member.CompleteWrite();
            }
            else
            {
                member.ApplyOpen();
            }
        }

        private void Disturb(RaftFake member, int choice)
        {
            MemberId other = new(ids[prng.Next(ids.Length)]);
            switch (choice)
            {
                case 85 or 86:
                    member.Restart();
                    break;
                case 87:
                    rig.Cut(member.Id.Value, other.Value);
                    break;
                case 88 or 89:
                    rig.Heal();
                    break;
                case 90 when member.StateIndex > member.DiskSnapshot.Index && member.Core.TermAt(member.StateIndex) != 0:
                    member.Compact(member.StateIndex + 1 - Math.Min(member.StateIndex, (ulong)prng.Next(3)));
                    Snapshots++;
                    break;
                case (91 or 92 or 93) when !isPlain:
                    MemberChange change = new((MemberChangeKind)prng.Next(3), other);
                    MemberChange second = new((MemberChangeKind)prng.Next(3), new(ids[prng.Next(ids.Length)]));
                    Changes += (prng.Chance(0.5) ? member.Change(change) : member.Change(change, second)).IsAccepted ? 1 : 0;
                    break;
                case 94:
                    member.TransferTo(other.Value);
                    break;
                case 95:
                    member.Campaign();
                    break;
                case 96:
                    member.Do((core, at, into) => core.ForgetLeader(at, into));
                    break;
                case 97 or 98:
                    asked[++nextRead] = (ulong)committed.Count;
                    member.Read(nextRead);
                    break;
                default:
                    member.Do((core, _, _) => core.Unreachable(other));
                    break;
            }
        }

        private void Note()
        {
            foreach (RaftFake member in rig.Members)
            {
                RaftCore core = member.Core;
                if (core.Role == RaftRole.Leader)
                {
                    leaders.TryAdd(core.Term, core.Self);
                    Assert.Equal(leaders[core.Term], core.Self);
                }

                // What was committed anywhere is there for ever, with the same term and data.
                for (ulong index = (ulong)committed.Count + 1; index <= core.CommitIndex && core.TermAt(index) != 0; index++)
                {
                    committed.Add((core.TermAt(index), Text(core.Entry(index))));
                }

                foreach (ReadResult read in member.Reads.Where(static r => !r.Lost))
                {
                    Assert.True(read.Index >= asked[read.Context], "a read sees what was committed before it was asked");
                    Reads++;
                }

                member.Reads.Clear();
            }
        }

        private void Check()
        {
            Note();
            foreach (RaftFake member in rig.Members)
            {
                RaftCore core = member.Core;
                for (ulong index = core.FirstIndex; index <= core.CommitIndex; index++)
                {
                    Assert.Equal(committed[(int)index - 1], (core.TermAt(index), Text(core.Entry(index))));
                }

                for (int i = 0; i < member.State.Count; i++)
                {
                    Assert.Equal(committed[i].Data, member.State[i]);
                }
            }
        }

        private static string Text(LogEntry entry) =>
            entry.Kind == EntryKind.Data ? System.Text.Encoding.UTF8.GetString(entry.Data.Span) : "";
    }
}

using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>
/// Nodes die and return at random, beside a leader that lives; the plan, the store's rules and the members' plan act on it.
/// Whatever happens, a step takes nobody's majority away, as many decide as the operator wanted, and nobody is replaced that
/// was there lately. When it is quiet at last, nobody who decides is dead.
/// </summary>
public sealed class ReplacementPropertyTests
{
    private const int Seeds = 25;
    private const int Nodes = 9;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public void No_step_loses_the_majority_and_no_manager_is_replaced_that_was_there(int managers)
    {
        int replaced = 0;
        int cancelled = 0;
        for (ulong seed = 1; seed <= Seeds; seed++)
        {
            Run run = new(managers, seed);
            run.Storm(ticks: 1000);
            run.Calm(ticks: 1000);
            replaced += run.Replaced;
            cancelled += run.Cancelled;
        }

        Assert.True(replaced > Seeds, $"{replaced} replaced");
        Assert.True(cancelled > 0, "nothing was ever taken back");
    }

    private sealed class Run
    {
        private readonly World world = new();
        private readonly Prng prng;
        private readonly int managers;
        private readonly ReplacementPlan plan = new();
        private readonly SortedDictionary<string, Instant> goneAt = new(StringComparer.Ordinal);
        private readonly SortedDictionary<string, int> heard = new(StringComparer.Ordinal);
        private Configuration members;
        private Instant now = new(1_000_000_000_000);
        private ulong lastMember = 100;

        public Run(int managers, ulong seed)
        {
            this.managers = managers;
            prng = new(seed);
            for (ulong n = 2; n <= Nodes; n++)
            {
                NodeObject node = World.Node(n, (int)n <= managers ? NodeRole.Manager : NodeRole.Worker);
                node.ControlAddress = $"192.0.2.{n}:2377";
                world.Do(world.Intent.AddNode(node));
            }

            world.Do(world.Intent.SetReplaceManagers(Limit));
            Say();
            members = Configuration.OfVoters(
                [.. world.State.Nodes.Where(static n => n.MemberId != 0).Select(static n => new MemberId(n.MemberId))]);
        }

        public int Replaced { get; private set; }

        public int Cancelled { get; private set; }

        private MemberId Leader => new(world.State.Node(NodeIdOf(1))!.MemberId);

        public void Storm(int ticks)
        {
            for (int i = 0; i < ticks; i++)
            {
                if (prng.Next(25) == 0)
                {
                    string node = NodeIdOf(2 + (ulong)prng.Next(Nodes - 1));
                    if (!goneAt.Remove(node))
                    {
                        goneAt[node] = now;
                        heard.Remove(node);
                    }
                }

                Step();
            }
        }

        public void Calm(int ticks)
        {
            // Enough are left for everybody who is to decide.
            while (Nodes - goneAt.Count < managers + 1)
            {
                goneAt.Remove(goneAt.Keys.First());
            }

            while (!HasQuorum(members))
            {
                goneAt.Remove(goneAt.Keys.First(id => members.Contains(new(world.State.Node(id)!.MemberId))));
            }

            for (int i = 0; i < ticks; i++)
            {
                Step();
            }

            Assert.Null(world.State.Cluster!.Replacement);
            Assert.Equal(managers, world.State.Nodes.Count(static n => n.Role == NodeRole.Manager));
            Assert.All(world.State.Nodes.Where(static n => n.Role == NodeRole.Manager), n => Assert.False(goneAt.ContainsKey(n.Id)));
        }

        private void Step()
        {
            now += Tick;
            Say();
            ReplacementStep step = plan.Next(world.State, Seen(), HasQuorum(members), now);
            if (HasQuorum(members))
            {
                Take(step);
                FollowMembers();
            }

            int count = world.State.Nodes.Count(static n => n.Role == NodeRole.Manager);
            Assert.InRange(count, managers, managers + (world.State.Cluster!.Replacement is null ? 0 : 1));
            Assert.Equal(managers, members.Voters.Length);
        }

        private void Take(ReplacementStep step)
        {
            switch (step.Action)
            {
                case ReplacementAction.Begin:
                    Assert.True(goneAt.TryGetValue(step.Lost, out Instant since) && now - since >= Limit, "it was there");
                    Assert.False(goneAt.ContainsKey(step.Successor));
                    world.Do(world.Intent.BeginReplacement(step.Lost, step.Successor));
                    break;
                case ReplacementAction.Finish:
                    Assert.True(goneAt.TryGetValue(step.Lost, out since) && now - since >= Limit, "it was there");
                    world.Do(world.Intent.FinishReplacement());
                    Replaced++;
                    break;
                case ReplacementAction.Cancel:
                    world.Do(world.Intent.CancelReplacement());
                    Cancelled++;
                    break;
            }
        }

        /// <summary>What the leader's member keeper does, each step at once.</summary>
        private void FollowMembers()
        {
            while (true)
            {
                MemberId[] wanted =
                    [.. world.State.Nodes.Where(static n => n is { Role: NodeRole.Manager, MemberId: not 0 }).Select(static n => new MemberId(n.MemberId))];
                MemberId held = world.State.Cluster!.Replacement is { } current
                    ? new(world.State.Node(current.Successor)?.MemberId ?? 0)
                    : MemberId.None;
                MemberStep step = MemberPlan.Next(members, Leader, wanted.ToHashSet(), Known(), held);
                Assert.True(step.Heir.IsNone);
                if (step.IsNone)
                {
                    break;
                }

                Configuration? next = ConfigurationChanger.TryChange(members, step.Changes.AsSpan(), ChangeMode.Auto, out string reason);
                Assert.True(next is not null, reason);
                Assert.True(HasQuorum(next), "too few are left to decide");
                members = next.IsJoint ? ConfigurationChanger.TryLeave(next, out reason)! : next;
            }

            NodeObject[] released =
                [.. world.State.Nodes.Where(n => n is { Role: NodeRole.Worker, MemberId: not 0 } && !members.Contains(new(n.MemberId)))];
            foreach (NodeObject left in released)
            {
                world.Do(world.Intent.ReleaseMember(left.Id, left.MemberId));
            }
        }

        private MemberProgress[] Known() =>
        [
            .. members.Members.Select(m => new MemberProgress(
                m, 1, 2, default, 0, true, 0, members.Learners.Contains(m), IsAlive(m) && heard.GetValueOrDefault(NodeOf(m)) > 8)),
        ];

        private SortedDictionary<string, NodeSight> Seen()
        {
            SortedDictionary<string, NodeSight> seen = new(StringComparer.Ordinal);
            MemberProgress[] known = Known();
            foreach (NodeObject node in world.State.Nodes)
            {
                MemberId id = new(node.MemberId);
                bool alive = !goneAt.TryGetValue(node.Id, out Instant since);
                NodeHealth health = alive ? NodeHealth.Alive : now - since < TimeSpan.FromSeconds(3) ? NodeHealth.Doubtful : NodeHealth.Gone;
                bool caughtUp = id == Leader || known.Any(m => m.Member == id && m.IsCaughtUp);
                seen[node.Id] = new(alive && !id.IsNone, health, members.IsVoter(id), caughtUp, 0);
            }

            return seen;
        }

        /// <summary>Agents that live tell which member they are, and learners read on.</summary>
        private void Say()
        {
            foreach (NodeObject node in world.State.Nodes.Where(n => n.Role == NodeRole.Manager && !goneAt.ContainsKey(n.Id)).ToArray())
            {
                heard[node.Id] = heard.GetValueOrDefault(node.Id) + 1;
                if (node.MemberId == 0)
                {
                    heard[node.Id] = 0;
                    NodeObject told = node.Clone();
                    told.MemberId = ++lastMember;
                    world.Do(world.Intent.UpdateNode(told));
                }
            }
        }

        private bool HasQuorum(Configuration configuration) =>
            configuration.Voters.Count(IsAlive) > configuration.Voters.Length / 2
            && (!configuration.IsJoint || configuration.OutgoingVoters.Count(IsAlive) > configuration.OutgoingVoters.Length / 2);

        private bool IsAlive(MemberId member) => !goneAt.ContainsKey(NodeOf(member));

        private string NodeOf(MemberId member) => world.State.Nodes.Single(n => n.MemberId == member.Value).Id;
    }
}

using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Whole;

/// <summary>
/// An operator who takes lost managers out and new ones in, and in some runs changes who is a manager while everything else
/// goes wrong. One who is lost goes before another one comes.
/// </summary>
internal sealed class WholeOperator(WholeWorld world, Prng prng)
{
    public void Begin() => Next();

    /// <summary>Everybody who should be a voter is, and nobody else is a member.</summary>
    public bool IsDone => world.Truth.Configuration is { IsJoint: false } configuration
        && configuration.Members.All(m => world.Nodes[WholeNode.SlotOf(m)].Id == m)
        && (world.Swarm.Membership || Enumerable.Range(0, world.Swarm.Voters).All(slot => configuration.IsVoter(world.Nodes[slot].Id)));

    private void Next() => world.Later((100 + (long)prng.Next(world.IsCalm ? 300 : 2000)) * WholeSwarm.Millisecond, Act);

    private void Act()
    {
        WholeNode[] leading = [.. world.Nodes.Where(static n => n.IsLeading && n.PausedUntil <= n.World.Now)];
        if (leading.Length > 0)
        {
            WholeNode leader = leading[prng.Next(leading.Length)];
            if (Change(leader) is { } change)
            {
                if (change.Kind != MemberChangeKind.Remove && world.Watch.Removed.ContainsKey(change.Member))
                {
                    world.Watch.Returning.Add(change.Member);
                }

                leader.Say($"is asked to {change.Kind} {change.Member}");
                _ = leader.Loop!.Engine.ChangeAsync([change]);
                leader.Poke();
            }
        }

        Next();
    }

    private MemberChange? Change(WholeNode leader)
    {
        Configuration configuration = leader.Core!.Configuration;
        MemberId lost = configuration.Members.FirstOrDefault(m => world.Nodes[WholeNode.SlotOf(m)].Id != m || world.Nodes[WholeNode.SlotOf(m)].IsLost);
        if (!lost.IsNone)
        {
            return new(MemberChangeKind.Remove, lost);
        }

        MemberId learner = configuration.Learners.FirstOrDefault(leader.Core.IsCaughtUp);
        if (!learner.IsNone && prng.Chance(0.7))
        {
            world.Counters.Add(WholeSometimes.MemberReplaced);
            return new(MemberChangeKind.AddVoter, learner);
        }

        WholeNode[] outside =
        [
            .. world.Nodes.Where(n => !configuration.Contains(n.Id) && !n.IsLost
                && (n.Slot < world.Swarm.Voters || (world.Swarm.Membership && !world.IsCalm))),
        ];
        return outside.Length > 0 && prng.Chance(0.7)
            ? new(MemberChangeKind.AddLearner, outside[prng.Next(outside.Length)].Id)
            : Whim(configuration);
    }

    /// <summary>Not where disks decay: there each voter's is counted on.</summary>
    private MemberChange? Whim(Configuration configuration)
    {
        if (!world.Swarm.Membership || world.IsCalm || world.Swarm.Decay != Whole.Decay.None || configuration.Voters.Length < 2)
        {
            return null;
        }

        MemberId member = configuration.Members[prng.Next(configuration.Members.Length)];
        return new(prng.Chance(0.3) ? MemberChangeKind.AddLearner : MemberChangeKind.Remove, member);
    }
}

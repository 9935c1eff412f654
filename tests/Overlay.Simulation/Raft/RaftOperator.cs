using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Raft;

/// <summary>An operator who changes members and hands leadership over while everything else goes wrong.</summary>
internal sealed class RaftOperator(RaftWorld world, Prng prng)
{
    private bool stopped;
    private MemberId transferTarget;

    public void Begin()
    {
        if (world.Swarm.Membership || world.Swarm.Transfers)
        {
            Next();
        }
    }

    /// <summary>Only joint configurations are still left, by hand.</summary>
    public void Stop() => stopped = true;

    public void Act()
    {
        // Whoever believes to lead is asked, even if it does no more.
        RaftSimNode[] leading = [.. world.Nodes.Where(static n => n.IsLeading)];
        if (leading.Length > 0)
        {
            RaftSimNode leader = leading[prng.Next(leading.Length)];
            if (!transferTarget.IsNone)
            {
                world.Counters.Add(leader.Id == transferTarget ? RaftSometimes.TransferDone : RaftSometimes.TransferFailed);
                transferTarget = MemberId.None;
            }

            Configuration configuration = leader.Core!.Configuration;
            if ((configuration.IsJoint && !configuration.AutoLeave) || prng.Chance(0.03))
            {
                Answered(world.Shell.LeaveJoint(leader));
            }
            else if (!stopped && world.Swarm.Transfers && (!world.Swarm.Membership || prng.Chance(0.3)))
            {
                transferTarget = configuration.Members[prng.Next(configuration.Members.Length)];
                world.Shell.Transfer(leader, transferTarget);
            }
            else if (!stopped && world.Swarm.Membership)
            {
                Change(leader, configuration);
            }
        }

        Next();
    }

    private void Next() => world.Later((200 + (long)prng.Next(3000)) * RaftSwarm.Millisecond, RaftEventKind.Operator, 0);

    private void Change(RaftSimNode leader, Configuration configuration)
    {
        MemberChange[] changes = new MemberChange[1 + prng.Next(prng.Chance(0.4) ? 3 : 1)];
        for (int i = 0; i < changes.Length; i++)
        {
            changes[i] = Draw(configuration);
        }

        int voters = configuration.Voters.Union(changes.Where(static c => c.Kind == MemberChangeKind.AddVoter).Select(static c => c.Member))
            .Except(changes.Where(static c => c.Kind != MemberChangeKind.AddVoter).Select(static c => c.Member)).Count();
        bool clear = changes.Select(static c => c.Member).Distinct().Count() == changes.Length;
        if (voters > 0 && clear)
        {
            world.Watch.Returning.UnionWith(changes.Select(static c => c.Member).Where(world.Watch.Removed.ContainsKey));
            Answered(world.Shell.Change(leader, changes, (ChangeMode)prng.Next(3)));
        }
    }

    private MemberChange Draw(Configuration configuration)
    {
        MemberId[] outside =
        [
            .. world.Nodes.Where(n => !configuration.Contains(n.Id)).Select(static n => n.Id),
        ];
        if (outside.Length > 0 && prng.Chance(0.5))
        {
            return new(prng.Chance(0.3) ? MemberChangeKind.AddVoter : MemberChangeKind.AddLearner, outside[prng.Next(outside.Length)]);
        }

        if (!configuration.Learners.IsEmpty && prng.Chance(0.6))
        {
            return new(MemberChangeKind.AddVoter, configuration.Learners[prng.Next(configuration.Learners.Length)]);
        }

        MemberId member = configuration.Members[prng.Next(configuration.Members.Length)];
        return new(prng.Chance(0.3) ? MemberChangeKind.AddLearner : MemberChangeKind.Remove, member);
    }

    private void Answered(in ProposeOutcome outcome)
    {
        if (outcome.Status == ProposeStatus.ChangePending)
        {
            world.Counters.Add(RaftSometimes.ChangeRefusedWhilePending);
        }
        else if (outcome.Status == ProposeStatus.Invalid)
        {
            world.Counters.Add(RaftSometimes.ChangeRefused);
        }
    }
}

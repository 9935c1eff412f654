using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// Makes those managers agree on the log who are to, as <see cref="MemberPlan"/> says: a leader's duty. A demoted node
/// gives up its place in the store when the others go on without it; until then it keeps its manager's certificate.
/// </summary>
internal sealed partial class MemberKeeper(ManagerLoop loop, TimeProvider time, ILogger<MemberKeeper> logger)
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    /// <summary>What holds is looked at again after this, whether or not a change was heard of.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(2);

    /// <summary>An heir that does not lead by then cannot be reached, or cannot win: another one is asked.</summary>
    private static readonly TimeSpan HeirTime = TimeSpan.FromSeconds(3);

    private readonly long origin = time.GetTimestamp();
    private readonly HeirTurns heirs = new(HeirTime);
    private (string Node, string Reason) told = ("", "");

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        heirs.Begin();
        while (true)
        {
            ClusterState state = loop.State;
            RaftStatus status = await loop.Engine.StatusAsync(cancellationToken);
            ImmutableSortedSet<MemberId> wanted = Wanted(state);
            NodeObject? left = LeftIn(state, status.Configuration);
            if (left is not null && await ReleaseAsync(left, cancellationToken))
            {
                continue;
            }

            MemberId asked = heirs.Asked;
            MemberStep step = heirs.Next(
                known => MemberPlan.Next(status.Configuration, status.Self, wanted, known, Listening(state)), status.Members,
                time.GetElapsedTime(origin));
            if (!step.Heir.IsNone && step.Heir != asked)
            {
                string hostname = NameOf(step.Heir);
                LogHeir(hostname, heirs.PassedOver.Count);
            }

            await TakeAsync(step, cancellationToken);
            bool isDone = left is null && step.IsNone && !status.Configuration.IsJoint
                && wanted.SetEquals(status.Configuration.Members) && wanted.SetEquals(status.Configuration.Voters);
            if (isDone)
            {
                await loop.WaitForCalmAsync(state.Version, Rest, cancellationToken);
            }
            else
            {
                await Task.Delay(Pace, time, cancellationToken);
            }
        }
    }

    private static ImmutableSortedSet<MemberId> Wanted(ClusterState state) =>
    [
        .. state.Nodes.Where(static n => n is { Role: NodeRole.Manager, MemberId: not 0 }).Select(static n => new MemberId(n.MemberId)),
    ];

    /// <summary>Who is to take a lost manager's place votes when that one goes, and not before.</summary>
    private static MemberId Listening(ClusterState state) =>
        state.Cluster?.Replacement is { } current ? new(state.Node(current.Successor)?.MemberId ?? 0) : MemberId.None;

    private async Task TakeAsync(MemberStep step, CancellationToken cancellationToken)
    {
        if (!step.Heir.IsNone)
        {
            loop.Engine.TransferTo(step.Heir);
        }
        else if (!step.IsNone)
        {
            ProposeOutcome outcome = await loop.Engine.ChangeAsync(step.Changes, cancellationToken);
            foreach (MemberChange change in outcome.IsAccepted ? step.Changes : [])
            {
                string hostname = NameOf(change.Member);
                LogChange(hostname, change.Kind);
            }
        }
    }

    /// <summary>Who is demoted, and whom the others do without.</summary>
    private static NodeObject? LeftIn(ClusterState state, Raft.Configuration now) => now.IsJoint ? null : state.Nodes.FirstOrDefault(
        n => n is { Role: NodeRole.Worker, MemberId: not 0 } && !now.Contains(new(n.MemberId)));

    /// <returns>Whether it is done.</returns>
    private async Task<bool> ReleaseAsync(NodeObject left, CancellationToken cancellationToken)
    {
        Outcome<NodeObject> released = await loop.ProposeAsync(
            intent => intent.ReleaseMember(left.Id, left.MemberId), "", cancellationToken);
        if (released.Refusal is { } refusal)
        {
            if (told != (left.Id, refusal.Why))
            {
                told = (left.Id, refusal.Why);
                LogNotReleased(left.Hostname, refusal.Why);
            }

            return false;
        }

        told = ("", "");
        LogReleased(left.Hostname);
        return true;
    }

    private string NameOf(MemberId member) =>
        loop.State.Nodes.FirstOrDefault(n => n.MemberId == member.Value)?.Hostname ?? $"of member {member}";

    [LoggerMessage(EventId = 740, Level = LogLevel.Information, Message = "Members that agree on the log: {Change} {Hostname}")]
    private partial void LogChange(string hostname, MemberChangeKind change);

    [LoggerMessage(EventId = 741, Level = LogLevel.Information, Message = "This manager is to go: {Hostname} is to lead instead ({Before} were asked in vain)")]
    private partial void LogHeir(string hostname, int before);

    [LoggerMessage(EventId = 742, Level = LogLevel.Information, Message = "{Hostname} is a manager no longer")]
    private partial void LogReleased(string hostname);

    [LoggerMessage(EventId = 743, Level = LogLevel.Warning, Message = "{Hostname} keeps its place among the managers for now: {Reason}")]
    private partial void LogNotReleased(string hostname, string reason);
}

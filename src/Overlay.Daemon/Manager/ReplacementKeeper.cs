using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Gossip;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>Replaces dead managers, as <see cref="ReplacementPlan"/> says: a leader's duty, if the operator wants it.</summary>
/// <param name="gossip">What gossip on this node says of all nodes.</param>
internal sealed partial class ReplacementKeeper(
    ManagerLoop loop, Func<CancellationToken, Task<IReadOnlyDictionary<string, Member>>> gossip, MonotonicClock clock,
    ILogger<ReplacementKeeper> logger)
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(500);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        // Every time of leadership counts anew: what happened before, another one saw.
        ReplacementPlan plan = new();
        (string Lost, string Reason) told = ("", "");
        while (true)
        {
            ClusterState state = loop.State;
            if (state.Cluster is not { ReplaceManagersSeconds: > 0 } and not { Replacement: not null })
            {
                await loop.WaitForChangeAsync(state.Version, cancellationToken);
                continue;
            }

            SortedDictionary<string, NodeSight> seen = await LookAsync(state, cancellationToken);
            ReplacementStep step = plan.Next(state, seen, !loop.Engine.Quorum.IsLost, clock.Now);
            if (step.Action == ReplacementAction.Wait && told != (step.Lost, step.Reason))
            {
                string hostname = NameOf(state, step.Lost);
                LogWaits(hostname, step.Reason);
                told = (step.Lost, step.Reason);
            }
            else if (step.Action is not (ReplacementAction.Wait or ReplacementAction.None))
            {
                await TakeAsync(state, step, cancellationToken);
            }

            await Task.Delay(Pace, clock.Time, cancellationToken);
        }
    }

    private async Task<SortedDictionary<string, NodeSight>> LookAsync(ClusterState state, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, Member> members = await gossip(cancellationToken);
        RaftStatus status = await loop.Engine.StatusAsync(cancellationToken);
        SortedDictionary<string, NodeSight> seen = new(StringComparer.Ordinal);
        foreach (NodeObject node in state.Nodes)
        {
            MemberId id = new(node.MemberId);
            members.TryGetValue(node.Id, out Member? member);
            seen[node.Id] = new(
                !id.IsNone && loop.Engine.IsReachable(id), HealthOf(id == status.Self ? Presence.Alive : member?.Presence),
                status.Configuration.IsVoter(id), id == status.Self || status.Members.Any(m => m.Member == id && m.IsCaughtUp), member?.Flaps ?? 0);
        }

        return seen;
    }

    private static NodeHealth HealthOf(Presence? presence) => presence switch
    {
        Presence.Alive => NodeHealth.Alive,
        Presence.Suspect or Presence.Degraded or Presence.HeldDown => NodeHealth.Doubtful,
        _ => NodeHealth.Gone,
    };

    private async Task TakeAsync(ClusterState state, ReplacementStep step, CancellationToken cancellationToken)
    {
        Outcome<ClusterObject> taken = await loop.ProposeAsync(
            intent => step.Action switch
            {
                ReplacementAction.Begin => intent.BeginReplacement(step.Lost, step.Successor),
                ReplacementAction.Finish => intent.FinishReplacement(),
                _ => intent.CancelReplacement(),
            },
            "", cancellationToken);
        (string lost, string successor) = (NameOf(state, step.Lost), NameOf(state, step.Successor));
        if (taken.Refusal is { } refusal)
        {
            LogNotTaken(lost, refusal.Why);
        }
        else if (step.Action == ReplacementAction.Begin)
        {
            TimeSpan after = TimeSpan.FromSeconds(state.Cluster!.ReplaceManagersSeconds);
            LogBegun(lost, after, successor);
        }
        else if (step.Action == ReplacementAction.Finish)
        {
            LogFinished(lost, successor, step.Reason);
        }
        else
        {
            LogCancelled(lost, successor, step.Reason);
        }
    }

    private static string NameOf(ClusterState state, string node) => state.Node(node)?.Hostname ?? node;

    [LoggerMessage(EventId = 748, Level = LogLevel.Warning,
        Message = "Manager {Lost} has been gone for {After}: {Successor} is to take its place, and reads the log first")]
    private partial void LogBegun(string lost, TimeSpan after, string successor);

    [LoggerMessage(EventId = 749, Level = LogLevel.Warning, Message = "{Successor} takes the place of manager {Lost}, which is a worker from now on: {Reason}")]
    private partial void LogFinished(string lost, string successor, string reason);

    [LoggerMessage(EventId = 753, Level = LogLevel.Warning, Message = "Manager {Lost} is not replaced by {Successor}, which is a worker again: {Reason}")]
    private partial void LogCancelled(string lost, string successor, string reason);

    [LoggerMessage(EventId = 754, Level = LogLevel.Warning, Message = "Manager {Lost} is not replaced for now: {Reason}")]
    private partial void LogWaits(string lost, string reason);

    [LoggerMessage(EventId = 755, Level = LogLevel.Warning, Message = "Manager {Lost} could not be replaced: {Reason}")]
    private partial void LogNotTaken(string lost, string reason);
}

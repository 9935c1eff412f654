using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// When a dead manager's place goes to a worker, as the leader sees it: one at a time, the newcomer listens until it has
/// caught up, and both change places in one step, so that at no moment fewer decide than before. A manager is gone if the
/// other managers cannot reach it and gossip has lost it too, for the whole of the time that the operator set, as this
/// leader has seen itself without a break.
/// </summary>
public sealed class ReplacementPlan
{
    /// <summary>A worker is taken only if it has been alive for so long.</summary>
    public static readonly TimeSpan Settled = TimeSpan.FromSeconds(5);

    /// <summary>A newcomer that has not caught up by then is given up.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>And not tried again for so long, while there are others.</summary>
    public static readonly TimeSpan Rest = TimeSpan.FromMinutes(10);

    /// <summary>Who was not looked at for longer may have come and gone meanwhile.</summary>
    public static readonly TimeSpan LongestBreak = TimeSpan.FromSeconds(5);

    private readonly SortedDictionary<string, Instant> goneSince = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Instant> aliveSince = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Instant> restsUntil = new(StringComparer.Ordinal);
    private Instant? lookedAt;
    private (string Successor, Instant At)? begun;

    /// <param name="state">Of the store, as this leader has applied it.</param>
    /// <param name="seen">Every node; one that is missing is taken as lost.</param>
    /// <param name="canDecide">Enough managers are reachable.</param>
    public ReplacementStep Next(ClusterState state, IReadOnlyDictionary<string, NodeSight> seen, bool canDecide, Instant now)
    {
        if (!canDecide || (lookedAt is { } last && now - last > LongestBreak))
        {
            goneSince.Clear();
            aliveSince.Clear();
        }

        lookedAt = now;
        Look(state, seen, now);
        TimeSpan limit = TimeSpan.FromSeconds(state.Cluster?.ReplaceManagersSeconds ?? 0);
        if (state.Cluster?.Replacement is { } current)
        {
            return canDecide ? GoOn(state, seen, current, limit, now) : ReplacementStep.None;
        }

        begun = null;
        return canDecide && limit > TimeSpan.Zero ? Begin(state, seen, limit, now) : ReplacementStep.None;
    }

    /// <summary>Since when the leader has seen that manager gone; null: it is not.</summary>
    public Instant? GoneSince(string node) => goneSince.TryGetValue(node, out Instant since) ? since : null;

    private static NodeSight SightOf(string node, IReadOnlyDictionary<string, NodeSight> seen) => seen.GetValueOrDefault(node, NodeSight.Lost);

    private void Look(ClusterState state, IReadOnlyDictionary<string, NodeSight> seen, Instant now)
    {
        foreach (string removed in goneSince.Keys.Concat(aliveSince.Keys).Concat(restsUntil.Keys).Where(id => state.Node(id) is null).ToArray())
        {
            goneSince.Remove(removed);
            aliveSince.Remove(removed);
            restsUntil.Remove(removed);
        }

        foreach (NodeObject node in state.Nodes)
        {
            NodeSight sight = SightOf(node.Id, seen);
            Mark(goneSince, node.Id, node.Role == NodeRole.Manager && sight.IsGone, now);
            Mark(aliveSince, node.Id, sight.Health == NodeHealth.Alive, now);
        }
    }

    private static void Mark(SortedDictionary<string, Instant> since, string node, bool holds, Instant now)
    {
        if (holds)
        {
            since.TryAdd(node, now);
        }
        else
        {
            since.Remove(node);
        }
    }

    private ReplacementStep GoOn(
        ClusterState state, IReadOnlyDictionary<string, NodeSight> seen, ManagerReplacement current, TimeSpan limit, Instant now)
    {
        if (begun?.Successor != current.Successor)
        {
            // Another leader may have begun it.
            begun = (current.Successor, now);
        }

        if (state.Node(current.Lost) is not { Role: NodeRole.Manager })
        {
            return new(ReplacementAction.Finish, current.Lost, current.Successor, "it is a manager no longer");
        }

        NodeSight successor = SightOf(current.Successor, seen);
        string? hindrance =
            state.Node(current.Successor) is not { Role: NodeRole.Manager } ? "its successor is a worker again"
            : limit == TimeSpan.Zero ? "managers are not to be replaced any more"
            : !SightOf(current.Lost, seen).IsGone ? "it is back"
            : successor.Health == NodeHealth.Gone ? "its successor is lost, too"
            : now - begun.Value.At > Patience ? "its successor did not catch up"
            : null;
        if (hindrance is not null)
        {
            restsUntil[current.Successor] = now + Rest;
            return new(ReplacementAction.Cancel, current.Lost, current.Successor, hindrance);
        }

        return successor is { IsCaughtUp: true, IsReachable: true, Health: NodeHealth.Alive }
            ? new(ReplacementAction.Finish, current.Lost, current.Successor, "its successor has caught up")
            : ReplacementStep.None;
    }

    private ReplacementStep Begin(ClusterState state, IReadOnlyDictionary<string, NodeSight> seen, TimeSpan limit, Instant now)
    {
        NodeObject? lost = state.Nodes.Where(n => goneSince.TryGetValue(n.Id, out Instant since) && now - since >= limit)
            .OrderBy(n => goneSince[n.Id]).ThenBy(static n => n.Id, StringComparer.Ordinal).FirstOrDefault();
        if (lost is null || state.Nodes.Any(n => IsOnItsWay(n, SightOf(n.Id, seen))))
        {
            return ReplacementStep.None;
        }

        NodeObject? successor = state.Nodes.Where(n => IsFit(n, now))
            .OrderBy(n => restsUntil.TryGetValue(n.Id, out Instant until) && until > now)
            .ThenBy(n => SightOf(n.Id, seen).Flaps).ThenBy(n => aliveSince[n.Id]).ThenBy(static n => n.Id, StringComparer.Ordinal)
            .FirstOrDefault();
        return successor is null
            ? new(ReplacementAction.Wait, lost.Id, "", "no worker that is active and alive can take its place")
            : restsUntil.TryGetValue(successor.Id, out Instant rest) && rest > now
                ? new(ReplacementAction.Wait, lost.Id, "", "who was to take its place did not lately")
                : new(ReplacementAction.Begin, lost.Id, successor.Id, "it is lost");
    }

    /// <summary>To the managers, or from them: one after the other.</summary>
    private static bool IsOnItsWay(NodeObject node, NodeSight sight) => node.Role == NodeRole.Manager
        ? !sight.Votes && !sight.IsGone
        : node.MemberId != 0;

    private bool IsFit(NodeObject node, Instant now) =>
        node is { Role: NodeRole.Worker, MemberId: 0, Superseded: false, ControlAddress.Length: > 0 }
        && Availability.Of(node) == NodeAvailability.Active
        && aliveSince.TryGetValue(node.Id, out Instant since) && now - since >= Settled;
}

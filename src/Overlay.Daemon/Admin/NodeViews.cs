using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager;
using Overlay.Gossip;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>How nodes are shown: intent's object with gossip's one verdict.</summary>
internal static class NodeViews
{
    /// <param name="manager">On this node; null: none.</param>
    public static NodeView Of(NodeObject subject, Node.Node node, ManagerServer? manager, MonotonicClock clock)
    {
        Member? member = node.Gossip.Find(subject.Id);
        NodeView view = new()
        {
            Id = subject.Id,
            Hostname = subject.Hostname,
            Role = subject.Role,
            Status = StatusOf(subject.Id, node),
            GossipAddress = subject.GossipAddress,
            DataPathAddress = subject.DataPathAddress,
            ControlAddress = subject.Role == NodeRole.Manager ? subject.ControlAddress : "",
            ManagerStatus = ManagerStatusOf(subject, manager),
            Availability = Availability.Text(Availability.Of(subject)),
            AvailabilitySinceUnixMs = subject.AvailabilityUnixMs,
            Drained = Availability.IsAcknowledged(subject),
            CreatedUnixMs = subject.CreatedUnixMs,
            AgentVersion = subject.AgentVersion,
            Self = subject.Id == node.Id.ToString(),
            Endpoints = (uint)EndpointViews.CountOf(subject.Id, node),
            StatusSinceUnixMs = member is null ? 0 : clock.UnixMs - (long)(clock.Now - member.Since).TotalMilliseconds,
        };
        if (member is not null)
        {
            view.Flaps = (uint)member.Flaps;
            view.QuietUntilUnixMs = member.QuietUntil is { } until
                ? clock.UnixMs + (long)(until - clock.Now).TotalMilliseconds
                : 0;
        }

        view.Labels.Add(subject.Labels);
        view.Routes.AddRange(subject.Routes);
        return view;
    }

    /// <summary>Among the managers; empty: it is none, or this node cannot know.</summary>
    public static string ManagerStatusOf(NodeObject? subject, ManagerServer? manager)
    {
        if (subject is null || NodeCertificates.RoleOf(subject) != NodeRole.Manager)
        {
            return "";
        }

        MemberId member = new(subject.MemberId);
        return subject.Role == NodeRole.Worker ? "leaving"
            : manager is null ? ""
            : member.IsNone ? "joining"
            : manager.Loop.Leadership.View.Leader == member ? "leader"
            : !manager.Loop.Engine.IsReachable(member) ? "unreachable"
            : manager.Loop.Engine.Configuration.IsVoter(member) ? "voter"
            : manager.Loop.Engine.Configuration.Contains(member) ? "learner"
            : "joining";
    }

    public static string StatusOf(string id, Node.Node node) =>
        node.Gossip.Find(id) is { } member ? Node.Node.StatusText(member.Presence) : "unknown";
}

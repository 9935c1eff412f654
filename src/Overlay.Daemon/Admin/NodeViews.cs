using Overlay.Daemon.Agent;
using Overlay.Gossip;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>How nodes are shown: intent's object with gossip's one verdict.</summary>
internal static class NodeViews
{
    public static NodeView Of(NodeObject subject, Node.Node node, MonotonicClock clock)
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
            ControlAddress = subject.ControlAddress,
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

    public static string StatusOf(string id, Node.Node node) =>
        node.Gossip.Find(id) is { } member ? Node.Node.StatusText(member.Presence) : "unknown";
}

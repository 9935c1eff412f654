using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Grpc.Core;
using Microsoft.AspNetCore.Connections.Features;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Gossip;
using Overlay.Gossip.Serf;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>Gossip itself: its members, nodes of the cluster or not, and what serf agents do with it.</summary>
internal sealed partial class AdminService
{
    private const int DefaultGossipPort = 7946;

    public override async Task<ListGossipMembersResponse> ListGossipMembers(
        ListGossipMembersRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("list the members of gossip");
        ListGossipMembersResponse response = new();
        response.Members.AddRange(await current.ReadAsync(
            node => node.Gossip.Members.Select(m => MemberViewOf(m, node)).ToArray(), context.CancellationToken));
        return response;
    }

    public override async Task<JoinGossipResponse> JoinGossip(JoinGossipRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("join gossip");
        List<IPEndPoint> addresses = [.. request.Addresses.Select(EndPointOf)];
        if (addresses.Any(a => a.ToString() == current.Record.GossipAddress))
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.Invalid, "Nothing was joined.", $"{current.Record.GossipAddress} is this node itself.",
                "Name the address of another agent."));
        }

        JoinGossipResponse response = new();
        IReadOnlyList<(IPEndPoint Address, string Problem)> outcomes =
            await current.Gossip.JoinAsync(addresses, context.CancellationToken);
        response.Joined.AddRange(outcomes.Where(static o => o.Problem.Length == 0).Select(static o => o.Address.ToString()));
        if (outcomes.FirstOrDefault(static o => o.Problem.Length > 0) is { Problem: { } problem, Address: var failed })
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.Unavailable, $"{failed} did not join gossip.", problem,
                "Check that the agent there runs and has the key that `overlayd gossip key` prints."));
        }

        return response;
    }

    public override async Task<ForceLeaveGossipResponse> ForceLeaveGossip(
        ForceLeaveGossipRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("remove a member of gossip");
        Refusal? refusal = await current.Loop.CallAsync(
            (node, now, effects) => node.ForceLeave(request.Name, request.Prune, now, effects)
                ? null
                : WhyNotForced(request.Name, node),
            context.CancellationToken);
        return refusal is null ? new() : throw RefusalStatus.ToException(refusal);
    }

    public override async Task<SendGossipEventResponse> SendGossipEvent(
        SendGossipEventRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("send an event");
        byte[] payload = request.Payload.ToByteArray();
        bool sent = await current.Loop.CallAsync(
            (node, now, effects) => node.Tell(request.Name, payload, now, effects), context.CancellationToken);
        return sent
            ? new()
            : throw RefusalStatus.ToException(new(
                RefusalKind.Invalid, "The event was not sent.",
                request.Name.Length == 0 ? "It has no name." : "Its name and payload are longer than 512 bytes.",
                "Type `overlayd gossip event NAME PAYLOAD` with less, such as where to find the rest."));
    }

    public override async Task<ListGossipEventsResponse> ListGossipEvents(
        ListGossipEventsRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("list events");
        ListGossipEventsResponse response = new();
        IReadOnlyList<GossipEvent.UserEvent> events =
            await current.ReadAsync(static node => node.Gossip.UserEvents, context.CancellationToken);
        response.Events.AddRange(events.Select(static e => new GossipEventView
        {
            Time = e.Time,
            Name = e.Name,
            Payload = Encoding.UTF8.GetString(e.Payload.Span),
        }));
        return response;
    }

    public override async Task<QueryGossipResponse> QueryGossip(QueryGossipRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("ask a query");
        if (request.Name.StartsWith("_serf_", StringComparison.Ordinal) && request.Name != "_serf_ping")
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.Invalid, "The query was not asked.", $"{request.Name} is one of serf's own.",
                "Use another name; serf's own tools ask these."));
        }

        string[] nodes = await current.ReadAsync(
            node => request.Nodes.Select(n => MemberNameOf(n, node)).ToArray(), context.CancellationToken);
        return await current.Gossip.AskAsync(request, nodes, context.CancellationToken)
            ?? throw RefusalStatus.ToException(new(
                RefusalKind.Invalid, "The query was not asked.",
                "It has no name, is longer than 1024 bytes, or too many others wait for answers.",
                "Type `overlayd gossip query NAME PAYLOAD` with less, or wait."));
    }

    public override async Task<RoundTripResponse> EstimateRoundTrip(EstimateRoundTripRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("estimate a round trip");
        return await current.ReadAsync(
            node =>
            {
                string from = request.From.Length == 0 ? current.Record.NodeId : MemberNameOf(request.From, node);
                string to = MemberNameOf(request.To, node);
                return node.Gossip.EstimateRoundTrip(from, to) is { } estimate
                    ? new RoundTripResponse { From = from, To = to, Seconds = estimate.TotalSeconds }
                    : throw RefusalStatus.ToException(new(
                        RefusalKind.Unavailable, "There is no estimate yet.",
                        $"This node has not probed {(node.Gossip.PlaceOf(from) is null ? from : to)} since it is a member.",
                        "Wait a few seconds: one member is probed each second."));
            },
            context.CancellationToken);
    }

    public override async Task<GossipKeyResponse> ShowGossipKey(ShowGossipKeyRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("show the gossip key");
        if (!IsRoot(context))
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.NotPermitted, "Cannot show the gossip key.", "It opens all gossip, and only root may see it.",
                "Type `sudo overlayd gossip key`."));
        }

        return new()
        {
            Key = await current.ReadAsync(
                static node => Convert.ToBase64String(node.Gossip.Keyring.Keys[0]), context.CancellationToken),
        };
    }

    private GossipMemberView MemberViewOf(Member member, Node.Node node)
    {
        GossipMemberView view = new()
        {
            Name = member.Name,
            Hostname = node.Intent.Node(member.Name)?.Hostname ?? "",
            Address = member.Address.ToString(),
            Status = StatusOf(node.Gossip.StatusOf(member.Name), member),
            Foreign = member.IsForeign,
            RoundTripSeconds = node.Gossip.EstimateRoundTrip(node.Id.ToString(), member.Name)?.TotalSeconds ?? 0,
            StatusSinceUnixMs =
                host.Services.Clock.UnixMs - (long)(host.Services.Clock.Now - member.Since).TotalMilliseconds,
            Self = member.Name == node.Id.ToString(),
        };
        if (view.Self)
        {
            view.RoundTripSeconds = 0;
        }

        view.Tags.Add(Tags.Decode(member.Meta.Span));
        return view;
    }

    private static string StatusOf(SerfStatus status, Member member) => status switch
    {
        SerfStatus.Leaving => "leaving",
        SerfStatus.Left => "left",
        SerfStatus.Failed => "failed",
        _ => member.State == Gossip.Wire.MemberState.Suspect ? "suspect" : "alive",
    };

    private static Refusal WhyNotForced(string name, Node.Node node)
    {
        const string Not = "The member was not removed.";
        return node.Gossip.Find(name) switch
        {
            null => new(
                RefusalKind.NotFound, Not, $"Gossip has no member {name}.", "Type `overlayd gossip ls` to see them."),
            { IsForeign: false } => new(
                RefusalKind.Conflict, Not, $"{name} is a node of the cluster.", $"Type `overlayd node rm {name}` on a manager."),
            _ => new(
                RefusalKind.Conflict, Not, $"{name} still answers.", "Stop its agent first, and wait until gossip calls it failed."),
        };
    }

    /// <summary>A member by its own name, or a node by its id, host name, or the beginning of its id.</summary>
    private static string MemberNameOf(string text, Node.Node node) =>
        node.Gossip.Find(text) is not null ? text
        : text == "self" ? node.Id.ToString()
        : node.Intent.FindNode(text).TryGet(out NodeObject? found, out _) ? found.Id
        : throw RefusalStatus.ToException(new(
            RefusalKind.NotFound, $"There is no member {text}.", "No node of the cluster and no member of gossip has that name.",
            "Type `overlayd gossip ls` to see them."));

    private static IPEndPoint EndPointOf(string text) => IPEndPoint.TryParse(text, out IPEndPoint? address)
        ? new(address.Address, address.Port == 0 ? DefaultGossipPort : address.Port)
        : throw RefusalStatus.ToException(new(
            RefusalKind.Invalid, "Nothing was joined.", $"'{text}' is not an address.",
            "Type `overlayd gossip join 192.168.1.5`, or with a port `192.168.1.5:7946`, or `[fd00::5]:7946`."));

    /// <summary>Of the process at the other end of the Unix socket, as the kernel has it (unix(7), SO_PEERCRED).</summary>
    private static bool IsRoot(ServerCallContext context)
    {
        const int SolSocket = 1;
        const int PeerCredentials = 17;
        Span<int> credentials = [-1, -1, -1];
        return context.GetHttpContext().Features.Get<IConnectionSocketFeature>() is { } connection
            && connection.Socket.GetRawSocketOption(SolSocket, PeerCredentials, MemoryMarshal.AsBytes(credentials)) == 12
            && credentials[1] == 0;
    }
}

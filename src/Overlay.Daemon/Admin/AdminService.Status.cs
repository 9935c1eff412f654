using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Names;
using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

internal sealed partial class AdminService
{
    private static readonly TimeSpan LagTold = TimeSpan.FromSeconds(15);

    public override async Task<StatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context)
    {
        ReconcilerStatus dataplane = host.Services.Reconciler.Status;
        StatusResponse response = new()
        {
            Version = AgentVersion.Text,
            Hostname = host.Services.Settings.HostName,
            State = "not in a cluster",
            StartedUnixMs = host.Services.StartedUnixMs,
            Dataplane = new()
            {
                LoadBalancer = host.Services.LoadBalancer == Dataplane.LoadBalancer.Ipvs ? "ipvs" : "nftables",
                Repairs = (ulong)dataplane.Repairs.Values.Sum(),
                Failures = (ulong)dataplane.Failures,
                PendingOperations = (uint)dataplane.Pending,
                LastError = dataplane.LastError,
                LastReconcileUnixMs = dataplane.LastRoundUnixMs,
            },
        };
        if (host.Current is not { } current)
        {
            DescribeLocked(response);
            return response;
        }

        response.ClusterId = current.Record.ClusterId;
        response.NodeId = current.Record.NodeId;
        response.Role = current.Identity.Role;
        response.AdvertiseAddress = current.Record.GossipAddress;
        response.DataPathAddress = current.Record.DataPathAddress;
        response.CertificateExpiresUnixMs = current.Identity.NotAfter.ToUnixTimeMilliseconds();
        response.Manager = new()
        {
            Connected = current.Session.Current.Client is not null,
            Address = current.Session.Current.Address,
            AppliedVersion = current.Session.AppliedVersion,
            LastError = current.Session.Current.LastError,
        };
        NetworkObject[] networks = await current.ReadAsync(
            node =>
            {
                Describe(response, node, host.Services.Clock);
                response.Managers = ManagersOf(current, node);
                response.Availability = Availability.Text(Availability.Of(node.Intent.Node(current.Record.NodeId)));
                return node.Intent.Networks.ToArray();
            },
            context.CancellationToken);
        if (current.Manager?.Loop.Engine.SupersededBy is > 0 and var epoch)
        {
            response.Problems.Add(ManagerEnd.Superseded(epoch).ToString());
        }

        response.Problems.AddRange(Problems(response, current, dataplane));
        response.Problems.AddRange(RouteOverlaps.Find(networks, [.. host.Services.HostRoutes()]));
        response.State = response.Problems.Count == 0 ? "ready" : "degraded";
        return response;
    }

    private static void Describe(StatusResponse response, Node.Node node, MonotonicClock clock)
    {
        Member[] members = [.. node.Gossip.Members.Where(static m => !m.IsForeign)];
        uint Count(Presence presence) => (uint)members.Count(m => m.Presence == presence);
        response.Gossip = new()
        {
            Alive = Count(Presence.Alive),
            Suspect = Count(Presence.Suspect),
            Dead = Count(Presence.Dead),
            Left = Count(Presence.Left),
            AgentDown = Count(Presence.AgentDown),
            Degraded = Count(Presence.Degraded),
            HeldDown = Count(Presence.HeldDown),
            ViewEpoch = (ulong)node.Gossip.ViewEpoch,
            HealthScore = (uint)node.Gossip.HealthScore,
        };
        response.Dataplane.UnderlayMtu = (uint)node.Settings.UnderlayMtu;
        response.Networks = (uint)node.Intent.Networks.Count();
        response.EndpointsLocal = (uint)node.Endpoints.Count;
        response.EndpointsTotal = (uint)(node.Endpoints.Count + node.RemoteCount);
        foreach (EndpointState endpoint in node.Endpoints.Where(static e => e.Status == EndpointStatus.Failed))
        {
            response.Problems.Add($"Endpoint {endpoint.Name} is not programmed: {endpoint.Error}.");
        }

        response.Problems.AddRange(members.Select(m => ProblemOf(m, node, clock.Now)).OfType<string>());
        response.Problems.AddRange(Lagging(node, clock.Now));
    }

    private static string? ProblemOf(Member member, Node.Node node, Instant now)
    {
        string hostname = HostnameOf(member.Name, node);
        if (node.Intent.Node(member.Name) is { Role: NodeRole.Manager } && member.Presence is Presence.Dead or Presence.AgentDown)
        {
            string down = member.Presence == Presence.Dead ? "has not answered" : "has been without its agent";
            return $"Manager {hostname} {down} for {Cli.ElapsedText.For(now - member.Since)}: start its agent again, or give its place "
                + $"to another node with `overlayd node demote {hostname}` and `overlayd node promote NODE`.";
        }

        return member.Presence switch
        {
            Presence.Dead => $"Node {hostname} does not answer.",
            Presence.AgentDown =>
                $"The agent of node {hostname} is down; its host is up, and keeps its names and traffic for now.",
            Presence.Degraded =>
                $"Node {hostname} answers by TCP only: let UDP port {member.Address.Port} pass between it and this node.",
            Presence.HeldDown =>
                $"Node {hostname} comes and goes: it counts again when it kept quiet for "
                + $"{Math.Max(1, Math.Ceiling(((member.QuietUntil ?? now) - now).TotalSeconds))} s more.",
            _ => null,
        };
    }

    /// <summary>Peers that did not acknowledge what this node wrote for so long that it is no delay of the moment.</summary>
    private static IEnumerable<string> Lagging(Node.Node node, Instant now)
    {
        foreach (NetworkObject network in node.Intent.Networks)
        {
            foreach (PeerLag lag in node.Gossip.LagOf(network.Id, now).Where(static l => l.Lag > LagTold))
            {
                yield return $"Node {HostnameOf(lag.Peer, node)} lags {lag.Entries} changes, or {lag.Lag.TotalSeconds:F0} s, "
                    + $"behind this node's entries of network {network.Name}.";
            }
        }
    }

    private static string HostnameOf(string id, Node.Node node) => node.Intent.Node(id)?.Hostname ?? id;

    private IEnumerable<string> Problems(StatusResponse response, Membership current, ReconcilerStatus dataplane)
    {
        ManagersView managers = response.Managers;
        if (managers.Reachable < managers.Needed)
        {
            yield return $"The cluster cannot be changed: {managers.Reachable} of {managers.Total} managers reachable, {managers.Needed} needed.";
        }

        if (current.Managership.Problem is { } unbegun)
        {
            yield return unbegun;
        }

        if (!response.Manager.Connected)
        {
            yield return $"No session with a manager: {response.Manager.LastError}.";
        }

        if (dataplane.Pending > 0)
        {
            yield return $"{dataplane.Pending} operations failed in the kernel: {dataplane.LastError}.";
        }

        foreach (SandboxNames sandbox in host.Services.Names.Sandboxes)
        {
            if (sandbox.Problem is { } problem)
            {
                yield return $"Sandbox {sandbox.Sandbox} has no resolver: {problem}.";
            }
        }
    }
}

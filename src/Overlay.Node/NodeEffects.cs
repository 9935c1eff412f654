using System.Net;
using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Gossip;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// What a step of the node asks of its shell, in the order it must happen: persist, then send, then program and
/// publish, then answer. The caller performs and clears it.
/// </summary>
public sealed class NodeEffects
{
    /// <summary>Write <see cref="Node.Export"/> to disk, durably, before anything below.</summary>
    public bool Persist { get; set; }

    public GossipEffects Gossip { get; } = new();

    /// <summary>Questions for a manager; each comes back through <see cref="Node.Granted"/> or <see cref="Node.Refused"/>.</summary>
    public List<ManagerRequest> ManagerRequests { get; } = [];

    /// <summary><see cref="Node.Inputs"/> changed: reconcile, and report through <see cref="Node.Programmed"/>.</summary>
    public bool DataplaneChanged { get; set; }

    /// <summary><see cref="Node.SandboxZones"/> changed.</summary>
    public bool ZonesChanged { get; set; }

    /// <summary>Gossip holds the manager at the other end of the session dead: another one is to be tried.</summary>
    public bool SessionLost { get; set; }

    /// <summary>
    /// Every node has acknowledged this drain of this node, which is its <see cref="NodeObject.AvailabilityUnixMs"/>: tell the managers.
    /// </summary>
    public long? DrainAcknowledged { get; set; }

    /// <summary>Questions to backends here; each is answered by the end of its timeout through <see cref="Node.HealthTold"/>.</summary>
    public List<HealthProbe> Probes { get; } = [];

    public List<Completion> Completions { get; } = [];

    public List<NodeEvent> Events { get; } = [];

    public void Clear()
    {
        Persist = false;
        Gossip.Clear();
        ManagerRequests.Clear();
        DataplaneChanged = false;
        ZonesChanged = false;
        SessionLost = false;
        DrainAcknowledged = null;
        Probes.Clear();
        Completions.Clear();
        Events.Clear();
    }
}

/// <summary>Something only a manager can give.</summary>
public abstract record ManagerRequest(long RequestId)
{
    public sealed record Lease(long RequestId, NetworkId Network, int Segment, bool Ipv6) : ManagerRequest(RequestId);

    public sealed record Reserve(long RequestId, NetworkId Network, IPAddress Address, EndpointId Endpoint)
        : ManagerRequest(RequestId);

    /// <summary>Nobody waits for the answer; it is repeated until it succeeds.</summary>
    /// <param name="Endpoint">Which had it: a release that comes late must not take it from the next.</param>
    public sealed record Release(long RequestId, NetworkId Network, IPAddress Address, EndpointId Endpoint)
        : ManagerRequest(RequestId);
}

/// <summary>A question whether a backend is well; where it has a port and a command, both must find it so.</summary>
/// <param name="Question">The answer is to have the same number.</param>
/// <param name="Address">Its own, to be asked from inside its sandbox.</param>
/// <param name="Kind">Unspecified: no port is asked.</param>
/// <param name="Command">For /bin/sh inside the sandbox; empty: none.</param>
public sealed record HealthProbe(
    long Question, EndpointId Endpoint, string Name, NamespaceName Sandbox, IPAddress Address, HealthKind Kind, int Port, string Path,
    string Command, TimeSpan Timeout);

/// <summary>The answer to an attach or detach; exactly one for each request.</summary>
/// <param name="Endpoint">What was made or removed; null on refusal.</param>
public sealed record Completion(long RequestId, EndpointState? Endpoint, Refusal? Refusal);

/// <summary>What happened, for logs, metrics and watchers.</summary>
public abstract record NodeEvent
{
    private NodeEvent()
    {
    }

    public sealed record MemberChanged(string Member, string Hostname, string Status, string? Previous) : NodeEvent;

    /// <summary>This node declared the member dead, because so many observers found silence.</summary>
    public sealed record Judged(string Member, string Hostname, int Witnesses) : NodeEvent;

    /// <summary>The members that count changed, all of these at once; names and forwarding follow in one step.</summary>
    public sealed record ViewChanged(long Epoch, int Lost, int Gained) : NodeEvent;

    public sealed record EndpointChanged(EndpointId Id, string Name, string Network, string Action, string Detail) : NodeEvent
    {
        /// <summary>What its owner says of it, where it is new here and another node's.</summary>
        public RemoteEndpointRecord? Learnt { get; init; }

        /// <summary>The network of <see cref="Learnt"/>.</summary>
        public NetworkId NetworkId { get; init; }
    }

    public sealed record NetworkChanged(NetworkId Id, string Name, string Action) : NodeEvent;

    public sealed record ServiceChanged(ServiceId Id, string Name, string Action) : NodeEvent;

    /// <summary>A backend here is another health than before: "starting", "healthy", "unhealthy", or "" where nobody looks any more.</summary>
    /// <param name="Service">Its name; empty: it is gone.</param>
    /// <param name="Reason">Why it is not healthy.</param>
    public sealed record HealthChanged(EndpointId Id, string Name, string Service, string Health, string Reason) : NodeEvent;

    /// <summary>The managers want something else of a node: "promote", "demote", "active", "pause" or "drain".</summary>
    public sealed record NodeWanted(string Id, string Hostname, string Action) : NodeEvent;

    /// <summary>A member of the gossip that is no node of the cluster.</summary>
    public sealed record ForeignChanged(string Name, string Status, string? Previous) : NodeEvent;

    /// <summary>Gossip tells of events, answers to queries, joins, or keys.</summary>
    public sealed record GossipTold(GossipEvent Told) : NodeEvent;

    /// <summary>An entry of a peer that breaks the rules; dropped and counted.</summary>
    public sealed record RecordRejected(string Owner, string Reason) : NodeEvent;
}

using System.Collections.Immutable;
using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Gossip.Tables;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// This node's part of the routing mesh: an endpoint of its own on the ingress network, and with it the word to all others of which
/// services have backends here. They send clients of published ports by that.
/// </summary>
public sealed partial class Node
{
    private static readonly TimeSpan IngressRetry = TimeSpan.FromSeconds(5);

    /// <summary>What the others were told of <see cref="MeshWeights"/>.</summary>
    private readonly SortedDictionary<ServiceId, int> meshShares = [];

    private bool ingressStale = true;

    /// <summary>Of the newest attach that the node asked of itself: users' requests have positive numbers.</summary>
    private long ingressRequest;
    private Instant ingressRetryAt = Instant.Never;

    private NetworkObject? IngressNetwork => intent.Networks.FirstOrDefault(static n => n.Ingress);

    private EndpointState? IngressEndpoint => endpoints.Values.FirstOrDefault(static e => e.Sandbox == NamespaceName.Ingress);

    /// <summary>Attaches where the network is there and the endpoint is not, and says what has changed of the backends.</summary>
    private void TendIngress(Instant now, NodeEffects effects)
    {
        if (!ingressStale && ingressRetryAt > now)
        {
            return;
        }

        ingressStale = false;
        if (IngressNetwork is not { } network)
        {
            ingressRetryAt = Instant.Never;
            meshShares.Clear();
        }
        else if (IngressEndpoint is null)
        {
            ShareMesh(network.Id, new(), now, effects);
            AttachIngress(network, now, effects);
        }
        else
        {
            ingressRetryAt = ShareMesh(network.Id, MeshWeights(), now, effects) ? Instant.Never : now + IngressRetry;
        }
    }

    /// <returns>Whether the others are told all of it; else it is to be tried again.</returns>
    private bool ShareMesh(string network, SortedDictionary<ServiceId, int> weights, Instant now, NodeEffects effects)
    {
        foreach (ServiceId gone in meshShares.Keys.Where(s => !weights.ContainsKey(s)).ToArray())
        {
            meshShares.Remove(gone);
            swim.Delete(network, MeshKey(gone), now, effects.Gossip);
            DataplaneChanges(effects);
        }

        bool isTold = true;
        foreach ((ServiceId service, int weight) in weights.Where(w => meshShares.GetValueOrDefault(w.Key) != w.Value))
        {
            if (swim.Put(network, MeshKey(service), RemoteEndpointRecord.EncodeMeshShare(service, weight), now, effects.Gossip) != PutOutcome.Done)
            {
                isTold = false;
                continue;
            }

            meshShares[service] = weight;
            DataplaneChanges(effects);
        }

        return isTold;
    }

    /// <summary>No other node's and no other service's, and the same after a restart.</summary>
    private string MeshKey(ServiceId service) => new EndpointId(StableHash.Of($"{Id} {service}") | 1).ToString();

    private void AttachIngress(NetworkObject network, Instant now, NodeEffects effects)
    {
        if (ingressRetryAt != Instant.Never && ingressRetryAt > now)
        {
            return;
        }

        ingressRetryAt = now + IngressRetry;
        if (waiting.ContainsKey(ingressRequest) || confirmations.ContainsKey(ingressRequest))
        {
            return;
        }

        AttachCommand command = new()
        {
            RequestId = --ingressRequest,
            Network = network.Id,
            Sandbox = NamespaceName.Ingress,
            SandboxText = NamespaceName.Ingress.Value,
            Name = $"ingress-{Id}",
            Interface = IngressSandbox.Interface,
            UnixMs = UnixMsAt(now),
        };
        Proceed(new(command, new(NewId()), now + settings.LeaseTimeout), now, effects);
    }

    /// <summary>An attach to the ingress network is the node's own, and no other goes there.</summary>
    private static Refusal? IngressFault(AttachCommand command, NetworkObject network, string what) =>
        network.Ingress == (command.RequestId < 0)
            ? null
            : new(
                RefusalKind.Invalid, what, $"Network {network.Name} is for published ports alone: each node is on it by itself.",
                "Choose another network; see them with `overlayd network ls`.");

    /// <summary>
    /// For each service with a port of all nodes, how much of its clients this node takes: the weights of its backends together. A
    /// drained node takes none.
    /// </summary>
    private SortedDictionary<ServiceId, int> MeshWeights()
    {
        SortedDictionary<ServiceId, int> weights = [];
        foreach (EndpointState backend in IsDrained(Id) ? [] : endpoints.Values.Where(IsMeshBackend))
        {
            // In turn means each as often as any other, whatever it weighs.
            bool inTurn = intent.Service(backend.Service!.Value.ToString())!.Scheduler is Scheduler.Rr or Scheduler.Lc;
            int weight = weights.GetValueOrDefault(backend.Service.Value) + (inTurn ? 1 : Math.Max(1, WeightOf(backend)));
            weights[backend.Service.Value] = Math.Min(EndpointState.MaxWeight, weight);
        }

        return weights;
    }

    /// <summary>The kernel has it by now, or had it before a restart: who is sent there arrives.</summary>
    private bool IsMeshBackend(EndpointState endpoint) =>
        IsPortBackend(endpoint) && ServiceOf(endpoint.Network, endpoint.Service) is { } service
        && service.Ports.Any(static p => p.Mode == PublishMode.Ingress)
        && !confirmations.Values.Any(c => c is { Attaching: true, Programmed: false } && c.Endpoint.Id == endpoint.Id);

    /// <summary>
    /// The nodes that clients of each service's ports of all nodes are sent to, by their addresses on the ingress network.
    /// </summary>
    private ILookup<ServiceId, MeshNode> MeshNodes()
    {
        List<(ServiceId Service, MeshNode Node)> found = [];
        if (IngressEndpoint is { Ipv4: { } own } endpoint)
        {
            if (!IsDrained(Id))
            {
                found.AddRange(meshShares.Select(m => (m.Key, new MeshNode(own, m.Value, endpoint.Ipv6))));
            }

            SortedDictionary<NodeId, RemoteEndpointRecord> places = [];
            foreach (RemoteEndpointRecord other in RemotesOn(endpoint.Network).Where(r => r.Ipv4 is not null && !IsDrained(r.Owner)))
            {
                places.TryAdd(other.Owner, other);
            }

            found.AddRange(remotes.On(endpoint.Network).Where(r => r.IsMeshShare && places.ContainsKey(r.Owner))
                .Select(r => (r.Service!.Value, new MeshNode(places[r.Owner].Ipv4!, r.Weight, places[r.Owner].Ipv6))));
        }

        return found.ToLookup(static f => f.Service, static f => f.Node);
    }

    /// <summary>Where clients of such ports go to, that have come to this node's address on the ingress network.</summary>
    private ImmutableArray<MeshPort> MeshPorts(ILookup<ServiceId, MeshNode> nodes)
    {
        if (IngressEndpoint is not { Ipv4: { } own })
        {
            return [];
        }

        ILookup<ServiceId, EndpointState> backends = PortBackends();
        return
        [
            .. intent.Services.SelectMany(static s => s.Ports, static (s, p) => (Service: s, Port: p))
                .Where(static x => x.Port.Mode == PublishMode.Ingress).Select(x => new MeshPort
                {
                    Service = x.Service.Name,
                    Protocol = x.Port.Protocol,
                    Published = (int)x.Port.Published,
                    Target = (int)x.Port.Target,
                    Scheduler = x.Service.Scheduler,
                    Flows = FlowsOf(x.Service),
                    TranslatesSource = x.Service.TranslatesSource,
                    Backends = BackendsOf(x.Service, backends[ServiceId.Parse(x.Service.Id)]),
                    Elsewhere = x.Service.Locality == Locality.Require
                        ? [] : [.. nodes[ServiceId.Parse(x.Service.Id)].Where(n => !n.Address.Equals(own))],
                }),
        ];
    }
}

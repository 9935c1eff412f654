using System.Collections.Immutable;
using System.Net;
using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// One node's whole mind. It joins three streams: what managers assigned (intent), what nodes say of themselves
/// (presence), and what this host's users ask for; and derives from them what the kernel should hold and what names
/// mean. It knows no socket, disk, clock or thread: inputs come with the time, and everything it wants done is left
/// in <see cref="NodeEffects"/>. The caller delivers queued packets before it calls <see cref="Advance"/>, so that
/// an answer that has arrived never counts as missing.
/// </summary>
public sealed partial class Node
{
    private readonly NodeSettings settings;
    private readonly Prng prng;
    private readonly Swim swim;
    private readonly AssignmentView intent = new();
    private readonly NodeAddresses addresses;
    private readonly SortedDictionary<EndpointId, EndpointState> endpoints = [];
    private readonly RemoteEndpoints remotes = new();
    private readonly SortedSet<NetworkId> followed = [];
    private readonly SortedDictionary<string, MemberState> verdicts = new(StringComparer.Ordinal);
    private bool seedsAsked;

    public Node(NodeSettings settings, LocalState? persisted, Prng prng)
    {
        this.settings = settings;
        this.prng = prng;
        addresses = new(settings.Id);
        if (persisted is not null)
        {
            Restore(persisted);
        }

        swim = new(
            settings.Id.ToString(), settings.GossipAddress, ReadOnlyMemory<byte>.Empty, settings.BootId, settings.Swim,
            KeyringOf(intent), prng);
    }

    public NodeId Id => settings.Id;

    public NodeSettings Settings => settings;

    public AssignmentView Intent => intent;

    public Swim Gossip => swim;

    public IReadOnlyCollection<EndpointState> Endpoints => endpoints.Values;

    public NodeAddresses Addresses => addresses;

    public IEnumerable<RemoteEndpointRecord> RemotesOn(NetworkId network) => remotes.On(network);

    public int RemoteCount => remotes.Count;

    /// <summary>Grows with every state that must be on disk; see <see cref="Persisted"/>.</summary>
    public long PersistRevision { get; private set; }

    /// <summary>Grows with every change of <see cref="Inputs"/>; see <see cref="Programmed"/>.</summary>
    public long DataplaneRevision { get; private set; }

    public Instant NextDeadline => Instant.Min(swim.NextDeadline, NextAttachDeadline());

    /// <summary>Begins gossip, and programs and announces what was there before a restart.</summary>
    public void Start(Instant now, NodeEffects effects)
    {
        swim.Start(now, effects.Gossip);
        FollowNetworks(now, effects);
        foreach (EndpointState endpoint in endpoints.Values)
        {
            Announce(endpoint, now, effects);
        }

        swim.Settle(now, effects.Gossip);
        AskSeeds(now, effects);
        DataplaneChanges(effects);
        effects.ZonesChanged = true;
        DigestGossip(now, effects);
    }

    public void ReceiveDatagram(IPEndPoint from, ReadOnlySpan<byte> datagram, Instant now, NodeEffects effects)
    {
        swim.Receive(from, datagram, now, effects.Gossip);
        DigestGossip(now, effects);
    }

    public void ReceiveStream(long exchangeId, IPEndPoint from, ReadOnlySpan<byte> unit, Instant now, NodeEffects effects)
    {
        swim.ReceiveStream(exchangeId, from, unit, now, effects.Gossip);
        DigestGossip(now, effects);
    }

    public void StreamCompleted(long exchangeId, ReadOnlySpan<byte> unit, Instant now, NodeEffects effects)
    {
        swim.StreamCompleted(exchangeId, unit, now, effects.Gossip);
        DigestGossip(now, effects);
    }

    public void StreamFailed(long exchangeId, Instant now, NodeEffects effects)
    {
        swim.StreamFailed(exchangeId, now, effects.Gossip);
        DigestGossip(now, effects);
    }

    public void Advance(Instant now, NodeEffects effects)
    {
        if (swim.NextDeadline <= now)
        {
            swim.Advance(now, effects.Gossip);
        }

        ExpireAttaches(now, effects);
        ExpireLostSandboxes(now, effects);
        DigestGossip(now, effects);
    }

    /// <summary>A manager says what is intended for this node.</summary>
    public void Assign(Assignment assignment, Instant now, NodeEffects effects)
    {
        ImmutableArray<NodeObject> nodesBefore = [.. intent.Nodes];
        ImmutableArray<NetworkObject> networksBefore = [.. intent.Networks];
        Keyring keysBefore = KeyringOf(intent);
        if (!intent.Apply(assignment))
        {
            return;
        }

        if (!SameKeys(keysBefore, KeyringOf(intent)))
        {
            swim.SetKeyring(KeyringOf(intent));
        }

        foreach (NodeObject gone in nodesBefore.Where(n => intent.Node(n.Id) is null && n.Id != Id.ToString()))
        {
            swim.Forget(gone.Id, now, effects.Gossip);
        }

        foreach (NetworkObject gone in networksBefore.Where(n => intent.Network(n.Id) is null))
        {
            DropNetwork(gone, now, effects);
        }

        foreach (NetworkObject made in intent.Networks.Where(n => !networksBefore.Any(b => b.Id == n.Id)))
        {
            effects.Events.Add(new NodeEvent.NetworkChanged(NetworkId.Parse(made.Id), made.Name, "create"));
        }

        addresses.Quarantine = TimeSpan.FromSeconds(intent.Cluster?.QuarantineSeconds ?? 60);
        addresses.SetLeases(intent.Leases, intent.Networks);
        FollowNetworks(now, effects);
        AskSeeds(now, effects);
        RetryAttaches(now, effects);
        AskForLeasesAheadOfNeed(effects);
        Persist(effects);
        DataplaneChanges(effects);
        effects.ZonesChanged = true;
        DigestGossip(now, effects);
    }

    /// <summary>Says goodbye to the other nodes; the shell goes on until the farewells are sent.</summary>
    public void Leave(Instant now, NodeEffects effects)
    {
        swim.Leave(now, effects.Gossip);
        DigestGossip(now, effects);
    }

    /// <summary>This node's part of intent and presence, from which the data plane is derived.</summary>
    public DataplaneInputs Inputs()
    {
        SortedSet<NetworkId> local = [.. endpoints.Values.Select(static e => e.Network)];
        ImmutableArray<OverlayNetwork>.Builder networks = ImmutableArray.CreateBuilder<OverlayNetwork>();
        ImmutableArray<RemoteEndpoint>.Builder reachable = ImmutableArray.CreateBuilder<RemoteEndpoint>();
        foreach (NetworkId id in local)
        {
            if (intent.Network(id.ToString()) is not { } network)
            {
                continue;
            }

            networks.Add(OverlayOf(id, network));
            foreach (RemoteEndpointRecord remote in remotes.On(id))
            {
                // The owner's VTEP is the manager's word; an owner that is not assigned yet waits for it.
                if (intent.Node(remote.Owner.ToString()) is { } owner
                    && IPAddress.TryParse(owner.DataPathAddress, out IPAddress? vtep))
                {
                    reachable.Add(new(id, remote.Segment, remote.Mac, remote.Ipv4, remote.Ipv6, vtep));
                }
            }
        }

        return new()
        {
            Vtep = settings.Vtep,
            UnderlayMtu = settings.UnderlayMtu,
            VxlanPort = (int)(intent.Cluster?.VxlanPort ?? 4789),
            GatewayPrefix = settings.GatewayPrefix,
            Networks = networks.ToImmutable(),
            Remotes = reachable.ToImmutable(),
            Endpoints = [.. endpoints.Values.Where(e => intent.Network(e.Network.ToString()) is not null).Select(LocalOf)],
        };
    }

    /// <summary>The zones that each sandbox of this node sees, in the order it was attached.</summary>
    public ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> SandboxZones()
    {
        SortedDictionary<NetworkId, Zone> zones = [];
        ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>>.Builder bySandbox =
            ImmutableSortedDictionary.CreateBuilder<NamespaceName, ImmutableArray<Zone>>();
        foreach (EndpointState endpoint in endpoints.Values.OrderBy(static e => e.CreatedUnixMs).ThenBy(static e => e.Id))
        {
            // A resolver needs the loopback up, which comes with the first programming.
            if (endpoint.Status != EndpointStatus.Ready || intent.Network(endpoint.Network.ToString()) is not { } network)
            {
                continue;
            }

            if (!zones.TryGetValue(endpoint.Network, out Zone? zone))
            {
                zones[endpoint.Network] = zone = ZoneOf(endpoint.Network, network.Name);
            }

            ImmutableArray<Zone> before = bySandbox.GetValueOrDefault(endpoint.Sandbox, []);
            bySandbox[endpoint.Sandbox] = [.. before, zone];
        }

        return bySandbox.ToImmutable();
    }

    private Zone ZoneOf(NetworkId id, string name) => new()
    {
        Network = id,
        Name = name,
        Endpoints =
        [
            .. endpoints.Values.Where(e => e.Network == id && e.Status != EndpointStatus.Failed)
                .Select(static e => new ZoneEndpoint([e.Name, .. e.Aliases], e.Ipv4, e.Ipv6)),
            .. remotes.On(id).Select(static r => new ZoneEndpoint([r.Name, .. r.Aliases], r.Ipv4, r.Ipv6)),
        ],
    };

    private static OverlayNetwork OverlayOf(NetworkId id, NetworkObject network) => new()
    {
        Id = id,
        Name = network.Name,
        Internal = network.Internal,
        Mtu = (int)network.Mtu,
        Segments =
        [
            .. network.Segments.Select(static s => new OverlaySegment(
                new(s.Vni), PrefixOf(s.Ipv4), GatewayOf(s.Ipv4), PrefixOf(s.Ipv6), GatewayOf(s.Ipv6))),
        ],
    };

    private static LocalEndpoint LocalOf(EndpointState endpoint) => new()
    {
        Id = endpoint.Id,
        Network = endpoint.Network,
        Segment = endpoint.Segment,
        Sandbox = endpoint.Sandbox,
        Interface = endpoint.Interface,
        Mac = endpoint.Mac,
        Ipv4 = endpoint.Ipv4,
        Ipv6 = endpoint.Ipv6,
        GatewaySlot = endpoint.GatewaySlot,
    };

    private static IPNetwork? PrefixOf(AddressRange? range) => range is null ? null : IPNetwork.Parse(range.Subnet);

    private static IPAddress? GatewayOf(AddressRange? range) => range is null ? null : IPAddress.Parse(range.Gateway);

    private static Keyring KeyringOf(AssignmentView view) =>
        view.Cluster is { } cluster ? new([.. cluster.GossipKeys.Select(static k => k.Key.ToByteArray())]) : Keyring.Plaintext;

    private static bool SameKeys(Keyring left, Keyring right) =>
        left.Keys.Length == right.Keys.Length
        && left.Keys.Zip(right.Keys).All(static pair => pair.First.AsSpan().SequenceEqual(pair.Second));

    /// <summary>Attaches presence to the networks that have an endpoint here, or to all where this node follows all.</summary>
    private void FollowNetworks(Instant now, NodeEffects effects)
    {
        SortedSet<NetworkId> wanted = [.. endpoints.Values.Select(static e => e.Network)];
        if (settings.FollowsEveryNetwork)
        {
            wanted.UnionWith(intent.Networks.Select(static n => NetworkId.Parse(n.Id)));
        }

        foreach (NetworkId network in wanted.Where(n => followed.Add(n)))
        {
            swim.Subscribe(network.ToString(), now, effects.Gossip);
        }

        NetworkId[] left = [.. followed.Where(n => !wanted.Contains(n))];
        foreach (NetworkId network in left)
        {
            followed.Remove(network);
            remotes.Forget(network);
            swim.Unsubscribe(network.ToString(), now, effects.Gossip);
        }
    }

    private void AskSeeds(Instant now, NodeEffects effects)
    {
        if (seedsAsked)
        {
            return;
        }

        IPEndPoint[] seeds =
        [
            .. intent.Nodes.Where(n => n.Id != Id.ToString())
                .Select(static n => IPEndPoint.TryParse(n.GossipAddress, out IPEndPoint? address) ? address : null)
                .OfType<IPEndPoint>(),
        ];
        if (seeds.Length > 0)
        {
            seedsAsked = true;
            swim.Join(seeds, now, effects.Gossip);
        }
    }

    /// <summary>Turns what gossip found into the node's own consequences, until nothing new comes of it.</summary>
    private void DigestGossip(Instant now, NodeEffects effects)
    {
        for (int i = 0; i < effects.Gossip.Events.Count; i++)
        {
            switch (effects.Gossip.Events[i])
            {
                case GossipEvent.MemberChanged changed:
                    MemberChanged(changed.Member, now, effects);
                    break;
                case GossipEvent.EntryChanged changed:
                    EntryChanged(changed, effects);
                    break;
                case GossipEvent.MemberForgotten forgotten:
                    verdicts.Remove(forgotten.Name);
                    break;
            }
        }

        effects.Gossip.Events.Clear();
    }

    private void MemberChanged(Member member, Instant now, NodeEffects effects)
    {
        string? previous = verdicts.TryGetValue(member.Name, out MemberState before) ? StatusText(before) : null;
        verdicts[member.Name] = member.State;
        if (intent.Cluster is not null && intent.Node(member.Name) is null && member.Name != Id.ToString()
            && member.State == MemberState.Left)
        {
            // It left for good and no manager lists it: nothing is to be remembered of it.
            verdicts.Remove(member.Name);
            swim.Forget(member.Name, now, effects.Gossip);
        }

        string hostname = intent.Node(member.Name)?.Hostname ?? member.Name;
        string status = StatusText(member.State);
        if (status != previous)
        {
            effects.Events.Add(new NodeEvent.MemberChanged(member.Name, hostname, status, previous));
        }
    }

    private void EntryChanged(GossipEvent.EntryChanged changed, NodeEffects effects)
    {
        if (changed.Owner == Id.ToString() || !NetworkId.TryParse(changed.Network, out NetworkId network))
        {
            return;
        }

        string action;
        RemoteEndpointRecord? record;
        if (changed.Value is { } value)
        {
            if (!RemoteEndpointRecord.TryDecode(changed.Owner, changed.Key, value, out record, out string reason))
            {
                effects.Events.Add(new NodeEvent.RecordRejected(changed.Owner, reason));
                return;
            }

            if (!remotes.TrySet(network, record!))
            {
                effects.Events.Add(new NodeEvent.RecordRejected(changed.Owner, "the endpoint is another node's"));
                return;
            }

            action = "up";
        }
        else
        {
            record = EndpointId.TryParse(changed.Key, out EndpointId id) ? remotes.Remove(network, changed.Owner, id) : null;
            action = "down";
        }

        if (record is not null)
        {
            string name = intent.Network(changed.Network)?.Name ?? changed.Network;
            effects.Events.Add(new NodeEvent.EndpointChanged(record.Id, record.Name, name, action, $"on {record.Owner}")
            {
                Learnt = changed.Value is null ? null : record,
                NetworkId = network,
            });
            DataplaneChanges(effects);
            effects.ZonesChanged = true;
        }
    }

    public static string StatusText(MemberState state) => state switch
    {
        MemberState.Alive => "alive",
        MemberState.Suspect => "suspect",
        MemberState.Dead => "dead",
        _ => "left",
    };

    private void DropNetwork(NetworkObject network, Instant now, NodeEffects effects)
    {
        NetworkId id = NetworkId.Parse(network.Id);
        foreach (EndpointState endpoint in endpoints.Values.Where(e => e.Network == id).ToArray())
        {
            endpoints.Remove(endpoint.Id);
            swim.Delete(network.Id, endpoint.Id.ToString(), now, effects.Gossip);
            effects.Events.Add(new NodeEvent.EndpointChanged(
                endpoint.Id, endpoint.Name, network.Name, "remove", "its network was removed"));
        }

        effects.Events.Add(new NodeEvent.NetworkChanged(id, network.Name, "remove"));
    }

    private void DataplaneChanges(NodeEffects effects)
    {
        if (!effects.DataplaneChanged)
        {
            DataplaneRevision++;
            effects.DataplaneChanged = true;
        }
    }

    /// <summary>Takes every endpoint off this host, before it leaves the cluster.</summary>
    public void DetachAll(Instant now, NodeEffects effects)
    {
        foreach (EndpointState endpoint in endpoints.Values.ToArray())
        {
            Remove(endpoint, UnixMsAt(now), "detach", now, effects);
        }

        DigestGossip(now, effects);
    }

    private long UnixMsAt(Instant now) => settings.WallClockOriginUnixMs + (now.Nanoseconds / 1_000_000);

    private void Persist(NodeEffects effects)
    {
        if (!effects.Persist)
        {
            PersistRevision++;
            effects.Persist = true;
        }
    }
}

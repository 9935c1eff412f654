using System.Collections.Immutable;
using System.Net;
using Overlay.Cluster;
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
    private readonly SortedDictionary<string, string> verdicts = new(StringComparer.Ordinal);
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
            settings.Id.ToString(), settings.GossipAddress, TagsOf(settings), settings.BootId, settings.Swim, KeyringOf(intent),
            prng);
    }

    public NodeId Id => settings.Id;

    public NodeSettings Settings => settings;

    public AssignmentView Intent => intent;

    public Swim Gossip => swim;

    public IReadOnlyCollection<EndpointState> Endpoints => endpoints.Values;

    public NodeAddresses Addresses => addresses;

    public IEnumerable<RemoteEndpointRecord> RemotesOn(NetworkId network) => remotes.On(network).Where(static r => !r.IsMeshShare);

    public int RemoteCount => remotes.Count;

    /// <summary>Grows with every state that must be on disk; see <see cref="Persisted"/>.</summary>
    public long PersistRevision { get; private set; }

    /// <summary>Grows with every change of <see cref="Inputs"/>; see <see cref="Programmed"/>.</summary>
    public long DataplaneRevision { get; private set; }

    public Instant NextDeadline => Instant.Min(
        Instant.Min(Instant.Min(swim.NextDeadline, healthDeadline), Instant.Min(ingressRetryAt, drainLookAt)),
        Instant.Min(NextAttachDeadline(), NextMemoryDeadline));

    /// <summary>Begins gossip, and programs and announces what was there before a restart.</summary>
    public void Start(Instant now, NodeEffects effects)
    {
        swim.Start(now, effects.Gossip);
        RecallOwners(now);
        FollowNetworks(now, effects);
        TendWeights(now, effects);
        foreach (EndpointState endpoint in endpoints.Values)
        {
            Announce(endpoint, now, effects);
        }

        TendHealth(now, effects);
        TendIngress(now, effects);
        TendDrain(now, effects);
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

    public void StreamFailed(long exchangeId, StreamFailure failure, Instant now, NodeEffects effects)
    {
        swim.StreamFailed(exchangeId, failure, now, effects.Gossip);
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
        AskHealth(now, effects);
        TendDrain(now, effects);
        DigestGossip(now, effects);
        TendMemory(now, effects);
    }

    /// <summary>A manager says what is intended for this node.</summary>
    public void Assign(Assignment assignment, Instant now, NodeEffects effects)
    {
        ImmutableArray<NodeObject> nodesBefore = [.. intent.Nodes];
        ImmutableArray<NetworkObject> networksBefore = [.. intent.Networks];
        List<NodeEvent.ServiceChanged> serviceNews = ServiceNews(assignment);
        bool concernsNamesAlone = ConcernsNamesAlone(assignment);
        Keyring keysBefore = KeyringOf(intent);
        if (!intent.Apply(assignment) || IsOnlyVersion(assignment))
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

        TellWanted(nodesBefore, effects);
        foreach (NetworkObject gone in networksBefore.Where(n => intent.Network(n.Id) is null))
        {
            DropNetwork(gone, now, effects);
        }

        SortedSet<string> knownBefore = new(networksBefore.Select(static n => n.Id), StringComparer.Ordinal);
        foreach (NetworkObject made in intent.Networks.Where(n => !knownBefore.Contains(n.Id)))
        {
            effects.Events.Add(new NodeEvent.NetworkChanged(NetworkId.Parse(made.Id), made.Name, "create"));
        }

        effects.Events.AddRange(serviceNews);
        ingressStale = true;
        addresses.Quarantine = TimeSpan.FromSeconds(intent.Cluster?.QuarantineSeconds ?? 60);
        addresses.SetLeases(intent.Leases, intent.Networks);
        FollowNetworks(now, effects);
        AskSeeds(now, effects);
        RetryAttaches(now, effects);
        AskForLeasesAheadOfNeed(effects);
        ReleaseOrphans(effects);
        if (ConcernsNoEndpoint(assignment))
        {
            MemorizeSoon(now);
        }
        else if (concernsNamesAlone)
        {
            MemorizeSoon(now);
            effects.ZonesChanged = true;
        }
        else
        {
            Persist(effects);
            DataplaneChanges(effects);
            effects.ZonesChanged = true;
        }

        TendHealth(now, effects);
        TendWeights(now, effects);
        TendDrain(now, effects);
        DigestGossip(now, effects);
    }

    private static Keyring KeyringOf(AssignmentView view) =>
        view.Cluster is { } cluster
            ? new([.. cluster.GossipKeys.Select(static k => k.Key.ToByteArray())]) { IsRevoked = cluster.GossipKeysRevoked }
            : Keyring.Plaintext;

    private static bool SameKeys(Keyring left, Keyring right) =>
        left.IsRevoked == right.IsRevoked && left.Keys.Length == right.Keys.Length
        && left.Keys.Zip(right.Keys).All(static pair => pair.First.AsSpan().SequenceEqual(pair.Second));

    private void DropNetwork(NetworkObject network, Instant now, NodeEffects effects)
    {
        NetworkId id = NetworkId.Parse(network.Id);
        foreach (EndpointState endpoint in endpoints.Values.Where(e => e.Network == id).ToArray())
        {
            endpoints.Remove(endpoint.Id);
            LeaveSandbox(endpoint.Sandbox, effects);
            foreach (IPAddress address in new[] { endpoint.Ipv4, endpoint.Ipv6 }.OfType<IPAddress>())
            {
                addresses.Release(id, address, UnixMsAt(now));
            }

            swim.Delete(network.Id, endpoint.Id.ToString(), now, effects.Gossip);
            effects.Events.Add(new NodeEvent.EndpointChanged(
                endpoint.Id, endpoint.Name, network.Name, "remove", "its network was removed"));
        }

        effects.Events.Add(new NodeEvent.NetworkChanged(id, network.Name, "remove"));
    }

    private void TellWanted(ImmutableArray<NodeObject> nodesBefore, NodeEffects effects)
    {
        foreach (NodeObject before in nodesBefore)
        {
            if (intent.Node(before.Id) is not { } now)
            {
                continue;
            }

            if (now.Role != before.Role)
            {
                effects.Events.Add(new NodeEvent.NodeWanted(now.Id, now.Hostname, now.Role == NodeRole.Manager ? "promote" : "demote"));
            }

            if (Availability.Of(now) is var wanted && wanted != Availability.Of(before))
            {
                effects.Events.Add(new NodeEvent.NodeWanted(now.Id, now.Hostname, Availability.Text(wanted)));
            }
        }
    }

    private void DataplaneChanges(NodeEffects effects)
    {
        if (!effects.DataplaneChanged)
        {
            DataplaneRevision++;
            effects.DataplaneChanged = true;
        }
    }

    /// <summary>What changed is no business of this node: nothing is to be kept, compared or told because of it.</summary>
    private static bool IsOnlyVersion(Assignment assignment) =>
        assignment is { Complete: false, Cluster: null, Upserts.Count: 0, Deletes.Count: 0 };

    /// <summary>
    /// Other nodes that came, or said something new of themselves, and have no endpoint that this node knows: neither the
    /// kernel nor names follow from them, and who is told of them again after a power failure loses nothing.
    /// </summary>
    private bool ConcernsNoEndpoint(Assignment assignment) =>
        assignment is { Complete: false, Cluster: null, Deletes.Count: 0 }
        && assignment.Upserts.All(item => item.KindCase == StoreObject.KindOneofCase.Node && item.Node.Id != Id.ToString()
            && NodeId.TryParse(item.Node.Id, out NodeId node) && !remotes.IsOwner(node));

    private long UnixMsAt(Instant now) => settings.WallClockOriginUnixMs + (now.Nanoseconds / 1_000_000);

    private void Persist(NodeEffects effects)
    {
        if (!effects.Persist)
        {
            PersistRevision++;
            effects.Persist = true;
            memorizeAt = Instant.Never;
        }
    }
}

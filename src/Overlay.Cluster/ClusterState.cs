using System.Collections.Immutable;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// Everything that is intended, at one version. Immutable: a change makes a new state that shares what is equal.
/// The messages inside are shared as well and must not be changed by readers; clone first.
/// </summary>
public sealed class ClusterState
{
    public static readonly ClusterState Empty = new();

    private static readonly ImmutableSortedDictionary<string, LeaseObject> NoLeases =
        ImmutableSortedDictionary.Create<string, LeaseObject>(StringComparer.Ordinal);

    private static readonly ImmutableSortedDictionary<string, ReservationObject> NoReservations =
        ImmutableSortedDictionary.Create<string, ReservationObject>(StringComparer.Ordinal);

    private ImmutableSortedDictionary<string, NodeObject> nodes =
        ImmutableSortedDictionary.Create<string, NodeObject>(StringComparer.Ordinal);

    private ImmutableSortedDictionary<string, NetworkObject> networks =
        ImmutableSortedDictionary.Create<string, NetworkObject>(StringComparer.Ordinal);

    // By network, then by id.
    private ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, LeaseObject>> leases =
        ImmutableSortedDictionary.Create<string, ImmutableSortedDictionary<string, LeaseObject>>(
            StringComparer.Ordinal);

    private ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, ReservationObject>> reservations =
        ImmutableSortedDictionary.Create<string, ImmutableSortedDictionary<string, ReservationObject>>(
            StringComparer.Ordinal);

    private ImmutableSortedDictionary<string, ServiceObject> services =
        ImmutableSortedDictionary.Create<string, ServiceObject>(StringComparer.Ordinal);

    // Ids by name, as names are compared.
    private ImmutableSortedDictionary<string, string> serviceNames =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.OrdinalIgnoreCase);

    private ClusterState()
    {
    }

    public ulong Version { get; private init; }

    /// <summary>Null until the cluster is bootstrapped.</summary>
    public ClusterObject? Cluster { get; private set; }

    /// <summary>Of the cluster's life: it grows when the cluster is begun anew; 0: there is none yet.</summary>
    public ulong Epoch => Cluster is null ? 0 : Intents.Renewal.EpochOf(Cluster);

    public IEnumerable<NodeObject> Nodes => nodes.Values;

    /// <summary>No node was added, changed or removed between the two: told without looking at each.</summary>
    public bool SharesNodesWith(ClusterState other) => ReferenceEquals(nodes, other.nodes);

    public int NodeCount => nodes.Count;

    public IEnumerable<NetworkObject> Networks => networks.Values;

    public int NetworkCount => networks.Count;

    public IEnumerable<ServiceObject> Services => services.Values;

    public int ServiceCount => services.Count;

    /// <summary>Of all kinds. Takes as long as there are networks.</summary>
    public int ObjectCount => (Cluster is null ? 0 : 1) + nodes.Count + networks.Count + services.Count
        + leases.Values.Sum(static ofNetwork => ofNetwork.Count) + reservations.Values.Sum(static ofNetwork => ofNetwork.Count);

    public IEnumerable<LeaseObject> Leases => leases.Values.SelectMany(ofNetwork => ofNetwork.Values);

    public IEnumerable<ReservationObject> Reservations =>
        reservations.Values.SelectMany(ofNetwork => ofNetwork.Values);

    /// <summary>Every object by kind and id, each in a wrapper of its own.</summary>
    public IEnumerable<StoreObject> Objects
    {
        get
        {
            IEnumerable<StoreObject> cluster = Cluster is null ? [] : [new() { Cluster = Cluster }];
            return cluster
                .Concat(Nodes.Select(node => new StoreObject { Node = node }))
                .Concat(Networks.Select(network => new StoreObject { Network = network }))
                .Concat(Leases.Select(lease => new StoreObject { Lease = lease }))
                .Concat(Reservations.Select(reservation => new StoreObject { Reservation = reservation }))
                .Concat(Services.Select(service => new StoreObject { Service = service }));
        }
    }

    public NodeObject? Node(string id) => ValueOf(nodes, id);

    public NetworkObject? Network(string id) => ValueOf(networks, id);

    public ServiceObject? Service(string id) => ValueOf(services, id);

    public LeaseObject? Lease(string id) => ValueOf(LeasesById(NetworkOf(id)), id);

    public ReservationObject? Reservation(string id) => ValueOf(ReservationsById(NetworkOf(id)), id);

    public IEnumerable<LeaseObject> LeasesOf(string networkId) => LeasesById(networkId).Values;

    public IEnumerable<ReservationObject> ReservationsOf(string networkId) => ReservationsById(networkId).Values;

    /// <summary>By id, by host name, or by an unambiguous beginning of the id.</summary>
    public Outcome<NodeObject> FindNode(string text) => Lookup.Node(nodes, text);

    /// <summary>By id, by name, or by an unambiguous beginning of the id.</summary>
    public Outcome<NetworkObject> FindNetwork(string text) => Lookup.Network(networks, text);

    public NetworkObject? NetworkNamed(string name) =>
        Networks.FirstOrDefault(network => string.Equals(network.Name, name, StringComparison.Ordinal));

    /// <summary>By id, by name, or by an unambiguous beginning of the id.</summary>
    public Outcome<ServiceObject> FindService(string text) => Lookup.Service(services, ServiceNamed, text);

    /// <summary>Names are compared without case, as DNS does.</summary>
    public ServiceObject? ServiceNamed(string name) => ValueOf(serviceNames, name) is { } id ? Service(id) : null;

    public StoreObject? Find(ObjectKey key) => key.Kind switch
    {
        ObjectKind.Cluster when Cluster?.Id == key.Id => new() { Cluster = Cluster },
        ObjectKind.Node when Node(key.Id) is { } node => new() { Node = node },
        ObjectKind.Network when Network(key.Id) is { } network => new() { Network = network },
        ObjectKind.Lease when Lease(key.Id) is { } lease => new() { Lease = lease },
        ObjectKind.Reservation when Reservation(key.Id) is { } reservation => new() { Reservation = reservation },
        ObjectKind.Service when Service(key.Id) is { } service => new() { Service = service },
        _ => null,
    };

    /// <summary>
    /// Objects whose last change was made by the transaction of that version: the answer to a repeated request.
    /// </summary>
    public IEnumerable<StoreObject> ChangedAt(ulong version) =>
        Objects.Where(item => ObjectKey.VersionOf(item) == version);

    internal ClusterState At(ulong version) => Copy(version);

    internal ClusterState Apply(
        StoreAction action, ulong version, out StoreAction stamped, out StoreObject? previous)
    {
        ClusterState next = Copy(Version);
        switch (action.ActionCase)
        {
            case StoreAction.ActionOneofCase.Create:
                previous = null;
                Invariant.Holds(Find(ObjectKey.Of(action.Create)) is null, $"{ObjectKey.Of(action.Create)} is new");
                stamped = new() { Create = ObjectKey.Stamped(action.Create, version) };
                next.Put(stamped.Create);
                return next;
            case StoreAction.ActionOneofCase.Update:
                previous = Find(ObjectKey.Of(action.Update));
                Invariant.Holds(previous is not null, $"{ObjectKey.Of(action.Update)} exists to be updated");
                stamped = new() { Update = ObjectKey.Stamped(action.Update, version) };
                next.Put(stamped.Update);
                return next;
            case StoreAction.ActionOneofCase.Delete:
                previous = Find(ObjectKey.Of(action.Delete));
                Invariant.Holds(previous is not null, $"{ObjectKey.Of(action.Delete)} exists to be deleted");
                stamped = action.Clone();
                next.Remove(ObjectKey.Of(action.Delete));
                return next;
            default:
                throw new InvariantException($"an action of the log is of a known kind ({action.ActionCase})");
        }
    }

    private ClusterState Copy(ulong version) => new()
    {
        Version = version,
        Cluster = Cluster,
        nodes = nodes,
        networks = networks,
        leases = leases,
        reservations = reservations,
        services = services,
        serviceNames = serviceNames,
    };

    private void Put(StoreObject item)
    {
        string id = ObjectKey.Of(item).Id;
        Invariant.Holds(id.Length > 0, "an object has an id");
        switch (item.KindCase)
        {
            case StoreObject.KindOneofCase.Cluster:
                Invariant.Holds(Cluster is null || Cluster.Id == id, "there is one cluster object");
                Cluster = item.Cluster;
                break;
            case StoreObject.KindOneofCase.Node:
                nodes = nodes.SetItem(id, item.Node);
                break;
            case StoreObject.KindOneofCase.Network:
                networks = networks.SetItem(id, item.Network);
                break;
            case StoreObject.KindOneofCase.Lease:
                Invariant.Holds(NetworkOf(id) == item.Lease.NetworkId, "a lease's id begins with its network");
                leases = leases.SetItem(item.Lease.NetworkId, LeasesById(item.Lease.NetworkId).SetItem(id, item.Lease));
                break;
            case StoreObject.KindOneofCase.Reservation:
                string network = item.Reservation.NetworkId;
                Invariant.Holds(NetworkOf(id) == network, "a reservation's id begins with its network");
                reservations = reservations.SetItem(network, ReservationsById(network).SetItem(id, item.Reservation));
                break;
            case StoreObject.KindOneofCase.Service:
                PutService(item.Service);
                break;
            default:
                throw new InvariantException("an object of the store is of a known kind");
        }
    }

    private void Remove(ObjectKey key)
    {
        string network = NetworkOf(key.Id);
        switch (key.Kind)
        {
            case ObjectKind.Node:
                nodes = nodes.Remove(key.Id);
                break;
            case ObjectKind.Network:
                networks = networks.Remove(key.Id);
                break;
            case ObjectKind.Lease:
                ImmutableSortedDictionary<string, LeaseObject> lessLeases = LeasesById(network).Remove(key.Id);
                leases = lessLeases.IsEmpty ? leases.Remove(network) : leases.SetItem(network, lessLeases);
                break;
            case ObjectKind.Reservation:
                ImmutableSortedDictionary<string, ReservationObject> less = ReservationsById(network).Remove(key.Id);
                reservations = less.IsEmpty ? reservations.Remove(network) : reservations.SetItem(network, less);
                break;
            case ObjectKind.Service:
                serviceNames = serviceNames.Remove(services[key.Id].Name);
                services = services.Remove(key.Id);
                break;
            default:
                throw new InvariantException($"objects of kind {key.Kind} are not deleted");
        }
    }

    private void PutService(ServiceObject service)
    {
        if (Service(service.Id) is { } before)
        {
            serviceNames = serviceNames.Remove(before.Name);
        }

        Invariant.Holds(!serviceNames.ContainsKey(service.Name), "no two services have one name");
        serviceNames = serviceNames.Add(service.Name, service.Id);
        services = services.SetItem(service.Id, service);
    }

    private ImmutableSortedDictionary<string, LeaseObject> LeasesById(string networkId) =>
        ValueOf(leases, networkId) ?? NoLeases;

    private ImmutableSortedDictionary<string, ReservationObject> ReservationsById(string networkId) =>
        ValueOf(reservations, networkId) ?? NoReservations;

    private static T? ValueOf<T>(ImmutableSortedDictionary<string, T> dictionary, string key)
        where T : class => dictionary.TryGetValue(key, out T? value) ? value : null;

    /// <summary>Ids of leases and reservations are "network id/address".</summary>
    private static string NetworkOf(string id)
    {
        int slash = id.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? "" : id[..slash];
    }
}

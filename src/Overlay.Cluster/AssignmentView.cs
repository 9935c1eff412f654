using Overlay.Cluster.Addresses;
using Overlay.Cluster.Intents;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// A node's side of the assignment: the part of intent it was told of. <see cref="Export"/> gives it to disk, so that a
/// restart without managers knows as much as before. Messages inside are read only.
/// </summary>
public sealed class AssignmentView
{
    private readonly SortedDictionary<string, NodeObject> nodes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, NetworkObject> networks = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, LeaseObject> leases = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, ReservationObject> reservations = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, ServiceObject> services = new(StringComparer.Ordinal);

    // Ids by name, as names are compared.
    private readonly SortedDictionary<string, string> serviceNames = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The store's version it shows; 0: nothing was assigned yet.</summary>
    public ulong Version { get; private set; }

    /// <summary>Null until the first assignment.</summary>
    public ClusterView? Cluster { get; private set; }

    public IEnumerable<NodeObject> Nodes => nodes.Values;

    public IEnumerable<NetworkObject> Networks => networks.Values;

    /// <summary>This node's own.</summary>
    public IEnumerable<LeaseObject> Leases => leases.Values;

    /// <summary>This node's own.</summary>
    public IEnumerable<ReservationObject> Reservations => reservations.Values;

    public IEnumerable<ServiceObject> Services => services.Values;

    public NodeObject? Node(string id) => nodes.GetValueOrDefault(id);

    public NetworkObject? Network(string id) => networks.GetValueOrDefault(id);

    public ServiceObject? Service(string id) => services.GetValueOrDefault(id);

    /// <summary>Names are compared without case, as DNS does.</summary>
    public ServiceObject? ServiceNamed(string name) =>
        serviceNames.TryGetValue(name, out string? id) ? Service(id) : null;

    /// <summary>By id, by host name, or by an unambiguous beginning of the id.</summary>
    public Outcome<NodeObject> FindNode(string text) => Lookup.Node(nodes, text);

    /// <summary>By id, by name, or by an unambiguous beginning of the id.</summary>
    public Outcome<NetworkObject> FindNetwork(string text) => Lookup.Network(networks, text);

    /// <summary>By id, by name, or by an unambiguous beginning of the id.</summary>
    public Outcome<ServiceObject> FindService(string text) => Lookup.Service(services, ServiceNamed, text);

    /// <summary>
    /// Takes an assignment over. A complete one replaces everything, another one adds to it. False: it is older than
    /// what is known, or the first one and not complete; then nothing changes.
    /// </summary>
    public bool Apply(Assignment assignment)
    {
        bool otherCluster = assignment.Cluster is { } told && Cluster is { } known && told.Id != known.Id;
        bool stale = assignment.Complete
            ? assignment.Version < Version && !otherCluster
            : Version == 0 || otherCluster || assignment.Version <= Version;
        if (stale)
        {
            return false;
        }

        if (assignment.Complete)
        {
            nodes.Clear();
            networks.Clear();
            leases.Clear();
            reservations.Clear();
            services.Clear();
            serviceNames.Clear();
            Cluster = null;
        }

        foreach (ObjectRef gone in assignment.Deletes)
        {
            Delete(gone);
        }

        foreach (StoreObject item in assignment.Upserts.Where(IsUsable))
        {
            Put(item.Clone());
        }

        Cluster = assignment.Cluster?.Clone() ?? Cluster;
        Version = assignment.Version;
        return true;
    }

    /// <summary>An object that a manager granted, ahead of the assignment that will bring it.</summary>
    public void Learn(StoreObject item)
    {
        // An object of a version that is known already is either here, or gone again.
        ulong version = ObjectKey.VersionOf(item);
        if ((version == 0 || version > Version) && IsUsable(item))
        {
            Put(item.Clone());
        }
    }

    /// <summary>All of it, as a complete assignment.</summary>
    public Assignment Export()
    {
        Assignment assignment = new() { Version = Version, Complete = true, Cluster = Cluster?.Clone() };
        assignment.Upserts.AddRange(nodes.Values.Select(node => new StoreObject { Node = node.Clone() }));
        assignment.Upserts.AddRange(networks.Values.Select(network => new StoreObject { Network = network.Clone() }));
        assignment.Upserts.AddRange(leases.Values.Select(lease => new StoreObject { Lease = lease.Clone() }));
        assignment.Upserts.AddRange(
            reservations.Values.Select(reservation => new StoreObject { Reservation = reservation.Clone() }));
        assignment.Upserts.AddRange(services.Values.Select(service => new StoreObject { Service = service.Clone() }));
        return assignment;
    }

    private void Put(StoreObject item)
    {
        switch (item.KindCase)
        {
            case StoreObject.KindOneofCase.Node:
                nodes[item.Node.Id] = item.Node;
                break;
            case StoreObject.KindOneofCase.Network:
                networks[item.Network.Id] = item.Network;
                break;
            case StoreObject.KindOneofCase.Lease:
                leases[item.Lease.Id] = item.Lease;
                break;
            case StoreObject.KindOneofCase.Reservation:
                reservations[item.Reservation.Id] = item.Reservation;
                break;
            case StoreObject.KindOneofCase.Service:
                DeleteService(item.Service.Id);
                services[item.Service.Id] = item.Service;
                serviceNames[item.Service.Name] = item.Service.Id;
                break;
            default:
                throw new InvariantException("only usable objects are put");
        }
    }

    private void Delete(ObjectRef gone)
    {
        switch (gone.Kind)
        {
            case ObjectKind.Node:
                nodes.Remove(gone.Id);
                break;
            case ObjectKind.Network:
                networks.Remove(gone.Id);
                break;
            case ObjectKind.Lease:
                leases.Remove(gone.Id);
                break;
            case ObjectKind.Reservation:
                reservations.Remove(gone.Id);
                break;
            case ObjectKind.Service:
                DeleteService(gone.Id);
                break;
            default:
                break; // A kind of a newer manager.
        }
    }

    private void DeleteService(string id)
    {
        if (services.Remove(id, out ServiceObject? before) && serviceNames.GetValueOrDefault(before.Name) == id)
        {
            serviceNames.Remove(before.Name);
        }
    }

    /// <summary>An object that this version cannot read, or that holds no valid addresses, is left out.</summary>
    private static bool IsUsable(StoreObject item) => item.KindCase switch
    {
        StoreObject.KindOneofCase.Node => NodeId.TryParse(item.Node.Id, out _),
        StoreObject.KindOneofCase.Network =>
            NetworkId.TryParse(item.Network.Id, out _)
            && item.Network.Segments.All(segment => IsUsable(segment.Ipv4) && IsUsable(segment.Ipv6)),
        StoreObject.KindOneofCase.Lease =>
            NetworkId.TryParse(item.Lease.NetworkId, out _) && Prefix.TryParse(item.Lease.Block, out _),
        StoreObject.KindOneofCase.Reservation =>
            NetworkId.TryParse(item.Reservation.NetworkId, out _) && Address.TryParse(item.Reservation.Address, out _),
        StoreObject.KindOneofCase.Service =>
            ServiceId.TryParse(item.Service.Id, out _) && NetworkId.TryParse(item.Service.NetworkId, out _)
            && ServiceSpec.IsName(item.Service.Name)
            && item.Service.VirtualAddresses.All(static address => Address.TryParse(address, out _))
            && item.Service.Ports.All(static port => port is { Published: > 0 and <= 65535, Target: > 0 and <= 65535 }
                && (port.Address.Length == 0 || Address.TryParse(port.Address, out _))),
        _ => false,
    };

    private static bool IsUsable(AddressRange? range) =>
        range is null
        || (Prefix.TryParse(range.Subnet, out Prefix subnet)
            && Address.TryParse(range.Gateway, out Address gateway) && subnet.Contains(gateway)
            && (range.Range.Length == 0 || (Prefix.TryParse(range.Range, out Prefix inner) && subnet.Contains(inner))));
}

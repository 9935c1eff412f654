using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>Names one object of the store. The order is by kind, then by id.</summary>
public readonly record struct ObjectKey(ObjectKind Kind, string Id) : IComparable<ObjectKey>
{
    public static ObjectKey Of(ObjectRef reference) => new(reference.Kind, reference.Id);

    public static ObjectKey Of(StoreObject item) => item.KindCase switch
    {
        StoreObject.KindOneofCase.Cluster => new(ObjectKind.Cluster, item.Cluster.Id),
        StoreObject.KindOneofCase.Node => new(ObjectKind.Node, item.Node.Id),
        StoreObject.KindOneofCase.Network => new(ObjectKind.Network, item.Network.Id),
        StoreObject.KindOneofCase.Lease => new(ObjectKind.Lease, item.Lease.Id),
        StoreObject.KindOneofCase.Reservation => new(ObjectKind.Reservation, item.Reservation.Id),
        StoreObject.KindOneofCase.Service => new(ObjectKind.Service, item.Service.Id),
        _ => new(ObjectKind.Unspecified, ""),
    };

    public ObjectRef ToRef() => new() { Kind = Kind, Id = Id };

    public int CompareTo(ObjectKey other)
    {
        int byKind = Kind.CompareTo(other.Kind);
        return byKind != 0 ? byKind : string.CompareOrdinal(Id, other.Id);
    }

    /// <summary>A copy of the object that carries the version; the store never shares memory with its input.</summary>
    internal static StoreObject Stamped(StoreObject item, ulong version)
    {
        StoreObject copy = item.Clone();
        switch (copy.KindCase)
        {
            case StoreObject.KindOneofCase.Cluster:
                copy.Cluster.Version = version;
                break;
            case StoreObject.KindOneofCase.Node:
                copy.Node.Version = version;
                break;
            case StoreObject.KindOneofCase.Network:
                copy.Network.Version = version;
                break;
            case StoreObject.KindOneofCase.Lease:
                copy.Lease.Version = version;
                break;
            case StoreObject.KindOneofCase.Reservation:
                copy.Reservation.Version = version;
                break;
            case StoreObject.KindOneofCase.Service:
                copy.Service.Version = version;
                break;
            default:
                Invariant.Holds(false, "an object of the store has a known kind");
                break;
        }

        return copy;
    }

    internal static ulong VersionOf(StoreObject item) => item.KindCase switch
    {
        StoreObject.KindOneofCase.Cluster => item.Cluster.Version,
        StoreObject.KindOneofCase.Node => item.Node.Version,
        StoreObject.KindOneofCase.Network => item.Network.Version,
        StoreObject.KindOneofCase.Lease => item.Lease.Version,
        StoreObject.KindOneofCase.Reservation => item.Reservation.Version,
        StoreObject.KindOneofCase.Service => item.Service.Version,
        _ => 0,
    };
}

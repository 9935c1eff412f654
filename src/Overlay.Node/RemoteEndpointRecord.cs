using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Google.Protobuf;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// What another node says of one of its endpoints, checked. The VTEP is not taken from the record but from the
/// manager's word about the owner, so that no node can draw another's traffic to itself by gossip alone.
/// </summary>
public sealed record RemoteEndpointRecord
{
    public const int MaxNames = 16;

    public required EndpointId Id { get; init; }

    public required NodeId Owner { get; init; }

    public required int Segment { get; init; }

    public required string Name { get; init; }

    public ImmutableArray<string> Aliases { get; init; } = [];

    public required MacAddress Mac { get; init; }

    public IPAddress? Ipv4 { get; init; }

    public IPAddress? Ipv6 { get; init; }

    public string Sandbox { get; init; } = "";

    /// <summary>The service that its owner counts it to; null: none. It may be unknown here, or of another network.</summary>
    public ServiceId? Service { get; init; }

    /// <summary>Among the service's backends; 0: none was given, which is 1.</summary>
    public int Weight { get; init; }

    /// <summary>Its owner's word.</summary>
    public EndpointHealth Health { get; init; }

    /// <summary>Its owner is drained: it is reachable, and nothing new is to be sent to it.</summary>
    public bool IsWithdrawn { get; init; }

    /// <summary>
    /// It is no endpoint: its owner takes <see cref="Weight"/> of the clients that ports of all nodes bring to <see cref="Service"/>.
    /// </summary>
    public bool IsMeshShare => Sandbox == NamespaceName.Ingress.Value && Service is not null;

    public long CreatedUnixMs { get; init; }

    /// <summary>The span of its attach, where the owner traces; anything else in its place is no span.</summary>
    public TraceContext Trace { get; init; }

    /// <param name="isWithdrawn">As <see cref="IsWithdrawn"/>.</param>
    public static byte[] Encode(EndpointState endpoint, IPAddress vtep, bool isWithdrawn = false)
    {
        Span<byte> mac = stackalloc byte[6];
        endpoint.Mac.WriteTo(mac);
        EndpointRecord record = new()
        {
            Name = endpoint.Name,
            Ipv4 = endpoint.Ipv4?.ToString() ?? "",
            Ipv6 = endpoint.Ipv6?.ToString() ?? "",
            Mac = ByteString.CopyFrom(mac),
            Vtep = vtep.ToString(),
            Segment = (uint)endpoint.Segment,
            Sandbox = endpoint.Sandbox.Value,
            CreatedUnixMs = endpoint.CreatedUnixMs,
            ServiceId = endpoint.Service?.ToString() ?? "",
            Weight = (uint)endpoint.Weight,
            Health = endpoint.Health,
            Withdrawn = isWithdrawn,
        };
        record.Aliases.AddRange(endpoint.Aliases);
        if (endpoint.Trace.IsSpan)
        {
            record.Trace = ByteString.CopyFrom(endpoint.Trace.ToBytes());
        }

        return record.ToByteArray();
    }

    /// <summary>A share of the mesh, as <see cref="IsMeshShare"/> has it.</summary>
    /// <param name="weight">1 to <see cref="EndpointState.MaxWeight"/>.</param>
    public static byte[] EncodeMeshShare(ServiceId service, int weight) => MeshShare(service, weight).ToByteArray();

    private static EndpointRecord MeshShare(ServiceId service, int weight) =>
        new() { Sandbox = NamespaceName.Ingress.Value, ServiceId = service.ToString(), Weight = (uint)weight };

    /// <summary>The record for this node's own disk: without what only its owner knows.</summary>
    public EndpointRecord ToRecord()
    {
        if (IsMeshShare)
        {
            return MeshShare(Service!.Value, Weight);
        }

        Span<byte> mac = stackalloc byte[6];
        Mac.WriteTo(mac);
        EndpointRecord record = new()
        {
            Name = Name,
            Ipv4 = Ipv4?.ToString() ?? "",
            Ipv6 = Ipv6?.ToString() ?? "",
            Mac = ByteString.CopyFrom(mac),
            Segment = (uint)Segment,
            Sandbox = Sandbox,
            CreatedUnixMs = CreatedUnixMs,
            ServiceId = Service?.ToString() ?? "",
            Weight = (uint)Weight,
            Health = Health,
            Withdrawn = IsWithdrawn,
        };
        record.Aliases.AddRange(Aliases);
        return record;
    }

    /// <summary>Reads a gossiped record; false with the reason where any part of it is not acceptable.</summary>
    public static bool TryDecode(
        string owner, string key, ReadOnlyMemory<byte> bytes, out RemoteEndpointRecord? endpoint, out string reason)
    {
        endpoint = null;
        if (!NodeId.TryParse(owner, out NodeId node) || !EndpointId.TryParse(key, out EndpointId id))
        {
            reason = "owner or key is not an id";
            return false;
        }

        EndpointRecord record;
        try
        {
            record = EndpointRecord.Parser.ParseFrom(bytes.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            // The one way that protobuf tells of garbage.
            reason = "not a record";
            return false;
        }

        if (record.Sandbox == NamespaceName.Ingress.Value && record.ServiceId.Length > 0)
        {
            endpoint = ReadMeshShare(id, node, record);
            reason = endpoint is null ? "its share of published ports is not one" : "";
            return endpoint is not null;
        }

        if (!DnsName.IsLabel(record.Name) || record.Aliases.Count > MaxNames || !record.Aliases.All(DnsName.IsLabel))
        {
            reason = "a name is not a DNS label";
            return false;
        }

        if (record.Mac.Length != 6 || MacAddress.FromBytes(record.Mac.Span) is { IsMulticast: true } or { IsZero: true })
        {
            reason = "the MAC is not a unicast address";
            return false;
        }

        if (!TryAddress(record.Ipv4, AddressFamily.InterNetwork, out IPAddress? ipv4)
            || !TryAddress(record.Ipv6, AddressFamily.InterNetworkV6, out IPAddress? ipv6)
            || (ipv4 is null && ipv6 is null)
            || record.Segment > 255
            || record.Sandbox.Length > 255)
        {
            reason = "an address is not one";
            return false;
        }

        ServiceId service = default;
        if ((record.ServiceId.Length > 0 && !ServiceId.TryParse(record.ServiceId, out service)) || record.Weight > EndpointState.MaxWeight)
        {
            reason = "the service or its weight is not one";
            return false;
        }

        if (!Enum.IsDefined(record.Health))
        {
            reason = "the health is not one";
            return false;
        }

        reason = "";
        endpoint = new()
        {
            Id = id,
            Owner = node,
            Segment = (int)record.Segment,
            Name = record.Name,
            Aliases = [.. record.Aliases],
            Mac = MacAddress.FromBytes(record.Mac.Span),
            Ipv4 = ipv4,
            Ipv6 = ipv6,
            Sandbox = record.Sandbox,
            CreatedUnixMs = record.CreatedUnixMs,
            Service = service.IsNone ? null : service,
            Weight = (int)record.Weight,
            Health = record.Health,
            IsWithdrawn = record.Withdrawn,
            Trace = TraceContext.Read(record.Trace.Span),
        };
        return true;
    }

    private static RemoteEndpointRecord? ReadMeshShare(EndpointId id, NodeId owner, EndpointRecord record) =>
        ServiceId.TryParse(record.ServiceId, out ServiceId service) && record.Weight is > 0 and <= EndpointState.MaxWeight
        && record is { Name: "", Ipv4: "", Ipv6: "", Mac.IsEmpty: true, Segment: 0, Aliases.Count: 0 }
            ? new()
            {
                Id = id,
                Owner = owner,
                Segment = 0,
                Name = "",
                Mac = default,
                Sandbox = record.Sandbox,
                Service = service,
                Weight = (int)record.Weight,
            }
            : null;

    private static bool TryAddress(string text, AddressFamily family, out IPAddress? address)
    {
        address = null;
        return text.Length == 0 || (IPAddress.TryParse(text, out address) && address.AddressFamily == family);
    }
}

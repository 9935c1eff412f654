using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace Overlay.Dns;

/// <summary>
/// A zone prepared for lookups that allocate nothing: sorted arrays of wire-form names and of addresses. Built once
/// for each new <see cref="Zone"/> and shared by all sandboxes of the network. Names that DNS can not carry (empty
/// labels, more than 63 bytes in a label, anything but visible ASCII) are left out and counted.
/// </summary>
public sealed class ZoneIndex
{
    private static readonly TransportProtocol[] Protocols = Enum.GetValues<TransportProtocol>();

    private readonly byte[] apex;
    private readonly byte[][] names;
    private readonly NameRecords[] records;
    private readonly AddressNumber[] addresses;
    private readonly byte[][] pointers;
    private readonly ImmutableArray<(AddressNumber First, AddressNumber Last)> subnets;

    public ZoneIndex(Zone zone)
    {
        Zone = zone;
        Span<byte> buffer = stackalloc byte[WireName.MaxLength];
        apex = TryLower(zone.Name, buffer, out byte[]? lower) ? lower : [];
        SortedDictionary<byte[], NameBuilder> byName = new(Comparer<byte[]>.Create(static (x, y) => Compare(x, y)));
        SortedDictionary<AddressNumber, byte[]> byAddress = [];
        foreach (ZoneEndpoint endpoint in zone.Endpoints)
        {
            Add(endpoint, byName, byAddress, buffer);
        }

        foreach (ZoneService service in zone.Services)
        {
            Add(service, byName, buffer);
        }

        names = [.. byName.Keys];
        records = [.. byName.Values.Select(static builder => builder.Build())];
        addresses = [.. byAddress.Keys];
        pointers = [.. byAddress.Values];
        subnets = [.. zone.Subnets.Select(Range)];
    }

    public Zone Zone { get; }

    /// <summary>Names left out because DNS can not carry them.</summary>
    public int UnusableNames { get; private set; }

    /// <summary>The network's name; empty when DNS can not carry it: then nothing is qualified by it.</summary>
    internal ReadOnlySpan<byte> Apex => apex;

    internal NameRecords? Find(ReadOnlySpan<byte> name) => Search(name) ?? FindOfProtocol(name);

    /// <summary>The wire-form name, with its root label, of the endpoint that has the address.</summary>
    internal bool TryFindPointer(AddressNumber address, out ReadOnlySpan<byte> name)
    {
        int found = addresses.AsSpan().BinarySearch(address);
        name = found >= 0 ? pointers[found] : default(ReadOnlySpan<byte>);
        return found >= 0;
    }

    internal bool Covers(AddressNumber address)
    {
        foreach ((AddressNumber first, AddressNumber last) in subnets)
        {
            if (first.CompareTo(address) <= 0 && address.CompareTo(last) <= 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Length first: most comparisons of a search then end without looking at the bytes.</summary>
    private static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) =>
        left.Length != right.Length ? left.Length - right.Length : left.SequenceCompareTo(right);

    private static (AddressNumber First, AddressNumber Last) Range(IPNetwork subnet)
    {
        AddressNumber first = AddressNumber.From(subnet.BaseAddress);
        int hostBits = (first.IsIpv6 ? 128 : 32) - subnet.PrefixLength;
        UInt128 mask = hostBits == 128 ? UInt128.MaxValue : (UInt128.One << hostBits) - 1;
        return (first, first with { Value = first.Value | mask });
    }

    private static bool TryLower(string text, Span<byte> buffer, [NotNullWhen(true)] out byte[]? lower)
    {
        lower = null;
        if (!WireName.TryEncode(text, buffer, out int length))
        {
            return false;
        }

        lower = new byte[length];
        WireName.CopyLower(buffer[..length], lower);
        return true;
    }

    private NameRecords? Search(ReadOnlySpan<byte> name)
    {
        int low = 0;
        int high = names.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >> 1;
            int order = Compare(names[middle], name);
            if (order == 0)
            {
                return records[middle];
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return null;
    }

    /// <summary>Names like "_web._tcp", which are read from the service's own: no others are kept for them.</summary>
    private NameRecords? FindOfProtocol(ReadOnlySpan<byte> name)
    {
        int length = name.IsEmpty ? 0 : name[0];
        if (length < 2 || name[1] != '_' || Zone.Services.IsEmpty)
        {
            return null;
        }

        if (ProtocolOf(name) is not null)
        {
            return NameRecords.Above;
        }

        if (ProtocolOf(name[(1 + length)..]) is not { } protocol)
        {
            return null;
        }

        Span<byte> own = stackalloc byte[WireName.MaxLabel];
        own = own[..length];
        own[0] = (byte)(length - 1);
        name[2..(1 + length)].CopyTo(own[1..]);
        return Search(own)?.OfProtocol(protocol);
    }

    private static TransportProtocol? ProtocolOf(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("\u0004_tcp"u8) ? TransportProtocol.Tcp
        : name.SequenceEqual("\u0004_udp"u8) ? TransportProtocol.Udp
        : name.SequenceEqual("\u0005_sctp"u8) ? TransportProtocol.Sctp
        : null;

    private void Add(
        ZoneEndpoint endpoint,
        SortedDictionary<byte[], NameBuilder> byName,
        SortedDictionary<AddressNumber, byte[]> byAddress,
        Span<byte> buffer)
    {
        foreach (string name in endpoint.Names)
        {
            AddName(name, byName, buffer)?.Add(endpoint);
        }

        if (Qualified(endpoint, buffer) is { } pointer)
        {
            foreach (IPAddress? address in (ReadOnlySpan<IPAddress?>)[endpoint.Ipv4, endpoint.Ipv6])
            {
                if (address is not null)
                {
                    byAddress.TryAdd(AddressNumber.From(address), pointer);
                }
            }
        }
    }

    private void Add(ZoneService service, SortedDictionary<byte[], NameBuilder> byName, Span<byte> buffer)
    {
        List<ServiceTarget> targets = [];

        // Most services publish nothing: their names exist, and nothing is kept for them.
        foreach (ZoneBackend backend in service.Ports.IsEmpty ? [] : service.Backends)
        {
            if (Qualified(backend.Endpoint, buffer) is { } name)
            {
                (IPAddress? ipv4, IPAddress? ipv6) = (backend.Endpoint.Ipv4, backend.Endpoint.Ipv6);
                targets.Add(new(
                    name,
                    backend.Weight,
                    ipv4 is null ? null : (uint)AddressNumber.From(ipv4).Value,
                    ipv6 is null ? null : AddressNumber.From(ipv6).Value));
            }
        }

        ServiceTarget[] shared = [.. targets];
        ServiceRecords? all = ServiceRecords.Of(shared, service.Ports);
        NameRecords[] byProtocol = [.. Protocols.Select(protocol => NameRecords.Of(
            ServiceRecords.Of(shared, service.Ports.Where(p => p.Protocol == protocol))))];
        for (int i = 0; i < service.Names.Length; i++)
        {
            AddName(service.Names[i], byName, buffer)?.Add(all, i == 0 ? byProtocol : []);
        }
    }

    /// <summary>Null: DNS can not carry it.</summary>
    private NameBuilder? AddName(string name, SortedDictionary<byte[], NameBuilder> byName, Span<byte> buffer)
    {
        if (!TryLower(name, buffer, out byte[]? lower))
        {
            UnusableNames++;
            return null;
        }

        // The names above a dotted one exist too, if only without records (RFC 8020).
        for (int at = 1 + lower[0]; at < lower.Length; at += 1 + lower[at])
        {
            Builder(byName, lower[at..]);
        }

        return Builder(byName, lower);
    }

    /// <summary>An endpoint's own name and the network's, in wire form with the root label; null: DNS can not carry it.</summary>
    private byte[]? Qualified(ZoneEndpoint endpoint, Span<byte> buffer) =>
        endpoint.Names is [string own, ..] && apex.Length > 0
        && WireName.TryEncode($"{own.TrimEnd('.')}.{Zone.Name}", buffer, out int length)
            ? [.. buffer[..length], 0]
            : null;

    private static NameBuilder Builder(SortedDictionary<byte[], NameBuilder> byName, byte[] name)
    {
        if (!byName.TryGetValue(name, out NameBuilder? builder))
        {
            builder = new();
            byName.Add(name, builder);
        }

        return builder;
    }

    private sealed class NameBuilder
    {
        private readonly SortedSet<AddressNumber> addresses = [];
        private bool isName;
        private bool isOfService;
        private ServiceRecords? services;
        private NameRecords[] byProtocol = [];

        public void Add(ServiceRecords? all, NameRecords[] ofProtocols)
        {
            isName = true;
            if (!isOfService)
            {
                (isOfService, services, byProtocol) = (true, all, ofProtocols);
            }
        }

        public void Add(ZoneEndpoint endpoint)
        {
            isName = true;
            foreach (IPAddress? address in (ReadOnlySpan<IPAddress?>)[endpoint.Ipv4, endpoint.Ipv6])
            {
                if (address is not null)
                {
                    addresses.Add(AddressNumber.From(address));
                }
            }
        }

        public NameRecords Build() => new(
            isName,
            [.. addresses.Where(static a => !a.IsIpv6).Select(static a => (uint)a.Value)],
            [.. addresses.Where(static a => a.IsIpv6).Select(static a => a.Value)],
            services,
            byProtocol);
    }
}

namespace Overlay.Dns;

/// <summary>The SRV records of one name, numbered from 0: each target with each port.</summary>
internal sealed class ServiceRecords
{
    private readonly ServiceTarget[] targets;
    private readonly ushort[] ports;

    private ServiceRecords(ServiceTarget[] targets, ushort[] ports)
    {
        this.targets = targets;
        this.ports = ports;
    }

    public int Count => targets.Length * ports.Length;

    /// <summary>Null: there is no record.</summary>
    /// <param name="targets">Shared by the names of a service.</param>
    /// <param name="ports">
    /// A number that two protocols have counts once, as the records would be equal (RFC 2181 §5).
    /// </param>
    public static ServiceRecords? Of(ServiceTarget[] targets, IEnumerable<ServicePort> ports)
    {
        ushort[] numbers = [.. ports.Select(static p => p.Number).Distinct().Order()];
        return targets.Length == 0 || numbers.Length == 0 ? null : new(targets, numbers);
    }

    /// <summary>Which target a record has: its place among the targets.</summary>
    public int PlaceOf(int record) => record / ports.Length;

    public ServiceTarget Target(int record) => targets[PlaceOf(record)];

    public ushort Port(int record) => ports[record % ports.Length];
}

/// <summary>One backend.</summary>
/// <param name="Name">Qualified, in wire form with its root label.</param>
internal sealed record ServiceTarget(byte[] Name, ushort Weight, uint? Ipv4, UInt128? Ipv6);

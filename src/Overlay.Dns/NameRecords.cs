namespace Overlay.Dns;

/// <summary>What a name of a zone has.</summary>
/// <param name="isName">False: it only exists because another name lies below it.</param>
/// <param name="byProtocol">Of a service's own name: what the name with '_' below each protocol's label has, in the enum's order.</param>
internal sealed class NameRecords(bool isName, uint[] ipv4, UInt128[] ipv6, ServiceRecords? services, NameRecords[] byProtocol)
{
    private static readonly NameRecords Nothing = new(true, [], [], null, []);

    /// <summary>A name that others lie below.</summary>
    public static NameRecords Above { get; } = new(false, [], [], null, []);

    /// <summary>A name that has SRV records alone, or nothing.</summary>
    public static NameRecords Of(ServiceRecords? services) => services is null ? Nothing : new(true, [], [], services, []);

    public bool IsName { get; } = isName;

    public ReadOnlySpan<uint> Ipv4 => ipv4;

    public ReadOnlySpan<UInt128> Ipv6 => ipv6;

    /// <summary>Null: it has no SRV records.</summary>
    public ServiceRecords? Services => services;

    /// <summary>Null: this is no service's own name.</summary>
    public NameRecords? OfProtocol(TransportProtocol protocol) => byProtocol.Length == 0 ? null : byProtocol[(int)protocol];
}

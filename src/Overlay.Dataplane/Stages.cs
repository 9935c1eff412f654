using System.Collections.Immutable;

namespace Overlay.Dataplane;

/// <summary>A plan's operations by stage: what a later one needs is made by an earlier one.</summary>
internal sealed class Stages
{
    public List<Operation> Namespaces { get; } = [];

    /// <summary>Removal of what stands in the way of something wanted.</summary>
    public List<Operation> Conflicts { get; } = [];

    public List<Operation> Sysctls { get; } = [];

    public List<Operation> Bridges { get; } = [];

    public List<Operation> Vxlans { get; } = [];

    public List<Operation> Veths { get; } = [];

    public List<Operation> LinkChanges { get; } = [];

    /// <summary>What a device must be told before it may have addresses of a family.</summary>
    public List<Operation> DeviceFamilies { get; } = [];

    public List<Operation> Addresses { get; } = [];

    /// <summary>FDB and neighbour entries.</summary>
    public List<Operation> Tunnels { get; } = [];

    public List<Operation> Routes { get; } = [];

    public List<Operation> Nft { get; } = [];

    /// <summary>Before the chains that lead there.</summary>
    public List<Operation> Ipvs { get; } = [];

    /// <summary>Those of one device.</summary>
    public List<Operation> DeviceSysctls { get; } = [];

    /// <summary>What conntrack remembers against the new tables.</summary>
    public List<Operation> Flows { get; } = [];

    /// <summary>Removal of what is merely not wanted any more.</summary>
    public List<Operation> Removals { get; } = [];

    public List<Operation> LastNamespaces { get; } = [];

    public ImmutableArray<Operation> InOrder() =>
    [
        .. Namespaces, .. Conflicts, .. Sysctls, .. Bridges, .. Vxlans, .. Veths, .. LinkChanges, .. DeviceFamilies, .. Addresses, .. Tunnels,
        .. Routes, .. Ipvs, .. Nft, .. DeviceSysctls, .. Flows, .. Removals, .. LastNamespaces,
    ];
}

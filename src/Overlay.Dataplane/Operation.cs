using System.Collections.Immutable;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>
/// One idempotent change of the kernel. Creating what is there replaces it; deleting what is gone succeeds.
/// The text form is what a plan prints and what golden tests compare.
/// </summary>
public abstract record Operation
{
    private Operation(NamespaceName @namespace) => Namespace = @namespace;

    /// <summary>Where it is executed.</summary>
    public NamespaceName Namespace { get; }

    /// <summary>Makes a named namespace with its loopback up.</summary>
    public sealed record CreateNamespace(NamespaceName Name) : Operation(Name)
    {
        public override string ToString() => $"netns add {Name}";
    }

    /// <summary>Removes a named namespace and all inside.</summary>
    public sealed record DeleteNamespace(NamespaceName Name) : Operation(Name)
    {
        public override string ToString() => $"netns delete {Name}";
    }

    /// <summary>Writes /proc/sys/<paramref name="Path"/> as seen from the namespace.</summary>
    public sealed record SetSysctl(NamespaceName In, string Path, string Value) : Operation(In)
    {
        public override string ToString() => $"{In}: sysctl {Path}={Value}";
    }

    /// <summary>
    /// Makes the link as described, up and enslaved if it says so: a bridge; a VXLAN device (made in the host's
    /// namespace, so that its socket stays on the underlay, then moved); or a veth pair with both ends placed and
    /// named (<see cref="LinkState.Peer"/>; <paramref name="PeerLink"/> describes the other end). An existing link
    /// of that name and another nature is deleted first.
    /// </summary>
    public sealed record CreateLink(NamespaceName In, LinkState Link, LinkState? PeerLink = null) : Operation(In)
    {
        public override string ToString()
        {
            string mac = Link.Mac is { } m ? $" address {m}" : "";
            string mtu = Link.Mtu > 0 ? $" mtu {Link.Mtu}" : "";
            string master = Link.Master is { } b ? $" master {b}" : "";
            string state = (Link.Isolated ? " isolated" : "") + (Link.Up ? " up" : "");
            string kind = (Link.Vxlan, Link.Peer) switch
            {
                ({ } v, _) => $"vxlan id {v.Vni} local {v.Local} dstport {v.Port}"
                    + $"{Flag(v.Learning, "learning")}{Flag(v.Proxy, "proxy")}{Flag(v.L2Miss, "l2miss")}{Flag(v.L3Miss, "l3miss")}",
                (_, { } p) => $"veth peer {p.Name} in {p.Namespace}{(PeerLink?.Mac is { } pm ? $" address {pm}" : "")}"
                    + $"{(PeerLink?.Master is { } pb ? $" master {pb}" : "")}",
                _ => "bridge",
            };
            return $"{In}: link add {Link.Name}{mac}{mtu}{master}{state} type {kind}";
        }

        private static string Flag(bool on, string name) => on ? $" {name}" : $" no{name}";
    }

    public sealed record DeleteLink(NamespaceName In, string Name) : Operation(In)
    {
        public override string ToString() => $"{In}: link delete {Name}";
    }

    /// <summary>Brings MTU, MAC, master, state, alias and isolation of an existing link to the description; null members stay.</summary>
    public sealed record ChangeLink(
        NamespaceName In, string Name, int? Mtu = null, MacAddress? Mac = null, string? Master = null, bool? Up = null,
        string? Alias = null, bool? Isolated = null) : Operation(In)
    {
        public override string ToString() =>
            $"{In}: link set {Name}"
            + (Mtu is { } mtu ? $" mtu {mtu}" : "")
            + (Mac is { } mac ? $" address {mac}" : "")
            + (Master is { } master ? (master.Length == 0 ? " nomaster" : $" master {master}") : "")
            + (Alias is { } alias ? $" alias '{alias}'" : "")
            + (Isolated is { } isolated ? (isolated ? " isolated" : " notisolated") : "")
            + (Up is { } up ? (up ? " up" : " down") : "");
    }

    public sealed record ReplaceAddress(NamespaceName In, AddressEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: address replace {Entry}";
    }

    public sealed record DeleteAddress(NamespaceName In, AddressEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: address delete {Entry}";
    }

    public sealed record ReplaceRoute(NamespaceName In, RouteEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: route replace {Entry}";
    }

    public sealed record DeleteRoute(NamespaceName In, RouteEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: route delete {Entry}";
    }

    public sealed record AddRule(NamespaceName In, RuleEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: rule add {Entry}";
    }

    public sealed record DeleteRule(NamespaceName In, RuleEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: rule delete {Entry}";
    }

    public sealed record ReplaceNeighbour(NamespaceName In, NeighbourEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: neighbour replace {Entry}";
    }

    public sealed record DeleteNeighbour(NamespaceName In, NeighbourEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: neighbour delete {Entry}";
    }

    public sealed record ReplaceFdb(NamespaceName In, FdbEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: fdb replace {Entry}";
    }

    public sealed record DeleteFdb(NamespaceName In, FdbEntry Entry) : Operation(In)
    {
        public override string ToString() => $"{In}: fdb delete {Entry}";
    }

    /// <summary>Puts the table <c>inet overlayd</c> in place in one transaction; the text is its canonical listing.</summary>
    /// <param name="Before">What is there as far as is known, so that what stays is left alone; null: nothing is known.</param>
    public sealed record ReplaceNftTable(NamespaceName In, string Table, string? Before = null) : Operation(In)
    {
        public override string ToString() => $"{In}: nft replace table inet overlayd";
    }

    public sealed record DeleteNftTable(NamespaceName In) : Operation(In)
    {
        public override string ToString() => $"{In}: nft delete table inet overlayd";
    }

    /// <summary>Makes a service of IPVS, or what is there of it, as described.</summary>
    /// <param name="Gone">Destinations that are deleted.</param>
    public sealed record SetIpvsService(NamespaceName In, IpvsService Service, ImmutableSortedSet<IPAddress> Gone) : Operation(In)
    {
        public override string ToString() => $"{In}: ipvs set {Service}{(Gone.IsEmpty ? "" : $" without {string.Join(' ', Gone)}")}";
    }

    public sealed record DeleteIpvsService(NamespaceName In, IpvsService Service) : Operation(In)
    {
        public override string ToString() => $"{In}: ipvs delete {Service}";
    }

    public sealed record SetIpvsTimeouts(NamespaceName In, IpvsTimeouts Timeouts) : Operation(In)
    {
        public override string ToString() => $"{In}: ipvs timeouts {Timeouts}";
    }

    /// <summary>
    /// Deletes conntrack's entries of flows to the virtual addresses that go elsewhere than to the given backends, so that
    /// their next packet begins anew. Connections of TCP and SCTP that were answered are left to end.
    /// </summary>
    public sealed record ForgetFlows(
        NamespaceName In, ImmutableSortedDictionary<IPAddress, ImmutableSortedSet<IPAddress>> Backends) : Operation(In)
    {
        public override string ToString() =>
            $"{In}: conntrack delete " + string.Join(", ", Backends.Select(static b => b.Value.IsEmpty
                ? $"all to {b.Key}"
                : $"to {b.Key} but {string.Join(' ', b.Value)}"));
    }

    /// <summary>
    /// Deletes conntrack's entries of flows to published ports that go elsewhere than to the given targets ("10.0.0.5:80"), as
    /// <see cref="ForgetFlows"/> does.
    /// </summary>
    /// <param name="Local">The host's addresses: what passes through to another host's port is none of ours.</param>
    public sealed record ForgetPortFlows(
        NamespaceName In, ImmutableSortedDictionary<(byte Protocol, int Port), ImmutableSortedSet<string>> Targets,
        ImmutableSortedSet<IPAddress> Local) : Operation(In)
    {
        public override string ToString() =>
            $"{In}: conntrack delete " + string.Join(", ", Targets.Select(static t =>
                $"all to {t.Key.Protocol}/{t.Key.Port}{(t.Value.IsEmpty ? "" : $" but {string.Join(' ', t.Value)}")}"));
    }
}

/// <summary>What became of one operation.</summary>
/// <param name="Error">Null on success; else one line naming the errno and its text.</param>
/// <param name="Errno">0 on success.</param>
public sealed record OperationResult(Operation Operation, int Errno, string? Error)
{
    public bool Succeeded => Errno == 0 && Error is null;
}

using System.Net;
using System.Net.Sockets;

namespace Overlay.Daemon.Configuration;

/// <summary>
/// Turns what a user wrote for an address — nothing, an address, an interface — into one address of this host, or into
/// a refusal that lists the possible ones. A function of its arguments; <see cref="HostAddresses"/> supplies the list.
/// </summary>
/// <remarks>
/// Left to itself it takes the only IPv4 address of the host, or the only IPv6 address if there is no IPv4 one.
/// Loopback, link-local and multicast addresses and the devices of overlays, bridges and virtual machines are never
/// taken unasked.
/// </remarks>
internal static partial class AddressSelection
{
    /// <summary>
    /// Devices that container runtimes, hypervisors and overlays make; their addresses mean nothing elsewhere.
    /// </summary>
    private static readonly string[] DerivedDevices =
    [
        "ov", "docker", "br-", "veth", "vxlan", "virbr", "vnet", "podman", "cni", "cali", "flannel", "cilium", "lxc",
        "lxdbr", "incusbr", "weave", "kube-", "nerdctl", "tailscale", "wg",
    ];

    /// <summary>Chooses an address of <paramref name="host"/>.</summary>
    /// <param name="use">What it is wanted for.</param>
    /// <param name="request">What the user wrote; empty: nothing.</param>
    /// <param name="host">The addresses there are.</param>
    /// <param name="preferred">Decides between several possible ones; null: they are listed in a refusal.</param>
    public static AddressChoice Choose(
        AddressUse use, string request, IReadOnlyList<HostAddress> host, IPAddress? preferred = null)
    {
        if (request.Length == 0)
        {
            return use == AddressUse.Listen
                ? new AddressChoice.Chosen(Unspecified(host), 0)
                : ChooseAmong(use, 0, [.. host.Where(IsCandidate)], "this host", preferred);
        }

        if (!AddressRequest.TryParse(request, out AddressRequest parsed))
        {
            return Refuse(
                use, $"'{request}' is neither an address nor the name of an interface", Candidates(use, host));
        }

        if (parsed.Port != 0 && use == AddressUse.DataPath)
        {
            return Refuse(use, $"'{request}' has a port", "Leave the port out; --data-path-port of init sets it");
        }

        return parsed.Address is { } address
            ? ChooseAddress(use, address, parsed.Port, host)
            : ChooseInterface(use, parsed.Interface!, parsed.Port, host, preferred);
    }

    public static string FlagOf(AddressUse use) => use switch
    {
        AddressUse.Advertise => "--advertise-addr",
        AddressUse.Listen => "--listen-addr",
        _ => "--data-path-addr",
    };

    private static AddressChoice ChooseAddress(
        AddressUse use, IPAddress address, int port, IReadOnlyList<HostAddress> host)
    {
        bool any = AddressText.IsUnspecified(address);
        if ((any && use == AddressUse.Listen) || (!any && host.Any(a => a.Address.Equals(address))))
        {
            return IPAddress.IsLoopback(address) && use != AddressUse.Listen
                ? Refuse(use, $"{address} is a loopback address, which other hosts cannot reach", Candidates(use, host))
                : new AddressChoice.Chosen(address, port);
        }

        string why = any ? $"{address} stands for every address and cannot be told to other hosts"
            : $"{address} is not an address of this host";
        return Refuse(use, why, Candidates(use, host));
    }

    private static AddressChoice ChooseInterface(
        AddressUse use, string name, int port, IReadOnlyList<HostAddress> host, IPAddress? preferred)
    {
        List<HostAddress> own = [.. host.Where(a => a.Interface == name)];
        if (own.Count == 0)
        {
            return Refuse(
                use, $"this host has no interface {name} that is up and has an address", Candidates(use, host));
        }

        List<HostAddress> usable = [.. own.Where(static a => IsGlobal(a.Address))];
        return usable.Count == 0
            ? Refuse(use, $"interface {name} has only {string.Join(", ", own.Select(static a => a.Address))}",
                Candidates(use, host))
            : ChooseAmong(use, port, usable, $"interface {name}", preferred);
    }

    private static AddressChoice ChooseAmong(
        AddressUse use, int port, IReadOnlyList<HostAddress> candidates, string owner, IPAddress? wanted)
    {
        if (wanted is not null && candidates.Any(a => a.Address.Equals(wanted)))
        {
            return new AddressChoice.Chosen(wanted, port);
        }

        List<HostAddress> v4 = [.. candidates.Where(static a => a.Address.AddressFamily == AddressFamily.InterNetwork)];
        IReadOnlyList<HostAddress> preferred = v4.Count > 0 ? v4 : candidates;
        return preferred.Count switch
        {
            1 => new AddressChoice.Chosen(preferred[0].Address, port),
            0 => Refuse(use, $"{owner} has no address that other hosts could reach",
                "Give an interface an address, and name it with " + FlagOf(use)),
            _ => Refuse(use, $"{owner} has several addresses: {List(candidates)}",
                $"Choose one, for example {FlagOf(use)} {preferred[0].Address}"),
        };
    }

    private static AddressChoice.Refused Refuse(AddressUse use, string why, string next)
    {
        string what = use switch
        {
            AddressUse.Advertise => "cannot choose the address that others reach this node at",
            AddressUse.Listen => "cannot choose the address to listen on",
            _ => "cannot choose the address for the data path",
        };
        return new(what, why, next);
    }

    private static string Candidates(AddressUse use, IReadOnlyList<HostAddress> host)
    {
        List<HostAddress> candidates = [.. host.Where(IsCandidate)];
        return candidates.Count == 0
            ? "Give an interface of this host an address first"
            : $"Use {FlagOf(use)} with one of {List(candidates)}";
    }

    private static string List(IEnumerable<HostAddress> addresses) =>
        string.Join(", ", addresses.Select(static a => $"{a.Address} ({a.Interface})"));

    private static IPAddress Unspecified(IReadOnlyList<HostAddress> host) =>
        host.Any(static a => a.Address.AddressFamily == AddressFamily.InterNetworkV6) ? IPAddress.IPv6Any
            : IPAddress.Any;

    private static bool IsCandidate(HostAddress address) =>
        IsGlobal(address.Address)
        && !DerivedDevices.Any(prefix => address.Interface.StartsWith(prefix, StringComparison.Ordinal));

    private static bool IsGlobal(IPAddress address)
    {
        if (IPAddress.IsLoopback(address) || AddressText.IsUnspecified(address))
        {
            return false;
        }

        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return !address.IsIPv6LinkLocal && !address.IsIPv6Multicast;
        }

        // 169.254.0.0/16 of RFC 3927 and 224.0.0.0/4 of RFC 5771.
        byte[] octets = address.GetAddressBytes();
        return !(octets[0] == 169 && octets[1] == 254) && octets[0] < 224;
    }
}

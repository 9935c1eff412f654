using Overlay.V1;

namespace Overlay.Cluster.Addresses;

/// <summary>An address that an operator asks for by hand, found in the segment it belongs to.</summary>
/// <param name="Segment">Index into <see cref="NetworkObject.Segments"/>.</param>
public sealed record StaticAddress(Address Address, int Segment)
{
    /// <param name="what">The sentence that says what failed.</param>
    /// <param name="form">How such an address is given.</param>
    public static Outcome<StaticAddress> Read(
        NetworkObject network, string? text, string what, string form = "`--ip 10.1.0.5` or `--ip6 fd00:1::5`")
    {
        if (!Address.TryParse(text, out Address address))
        {
            return new Refusal(
                RefusalKind.Invalid, what, $"{Refusal.Quote(text)} is not an address.",
                $"Give it as {form}.");
        }

        for (int i = 0; i < network.Segments.Count; i++)
        {
            if (AddressPlan.Of(network.Segments[i], address.IsIpv6) is { } plan && plan.Subnet.Contains(address))
            {
                return plan.IsSpecial(address) ? SpecialFault(plan, address, what) : new StaticAddress(address, i);
            }
        }

        string subnets = string.Join(", ", network.Segments
            .Select(segment => AddressPlan.Of(segment, address.IsIpv6)?.Subnet.ToString())
            .Where(subnet => subnet is not null));
        return new Refusal(
            RefusalKind.Invalid, what,
            subnets.Length > 0
                ? $"{address} is outside the subnet of network {Refusal.Quote(network.Name)}, {subnets}."
                : $"Network {Refusal.Quote(network.Name)} has no {(address.IsIpv6 ? "IPv6" : "IPv4")} subnet.",
            $"Type `overlayd network inspect {network.Name}` to see what it has.");
    }

    private static Refusal SpecialFault(AddressPlan plan, Address address, string what) => new(
        RefusalKind.Invalid, what,
        address == plan.Gateway
            ? $"{address} is the gateway of {plan.Subnet}."
            : $"{address} is the {(address == plan.Subnet.First ? "network's own" : "broadcast")} address of "
                + $"{plan.Subnet}.",
        "Choose another address of the subnet.");
}

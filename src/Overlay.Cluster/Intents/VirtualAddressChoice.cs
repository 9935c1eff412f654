using System.Collections.Immutable;
using Overlay.Cluster.Addresses;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>The virtual addresses of a new service: as asked for, or the first that nobody has, one of each family.</summary>
/// <param name="what">The sentence that says what failed.</param>
/// <param name="unixMs">The proposer's wall clock.</param>
internal sealed class VirtualAddressChoice(ClusterState state, NetworkObject network, string what, long unixMs)
{
    /// <summary>IPv4 first; none for a service without.</summary>
    public Outcome<ImmutableArray<Address>> For(ServiceSpec spec)
    {
        if (spec.Mode != EndpointMode.Vip)
        {
            return spec.VirtualAddresses.IsEmpty
                ? ImmutableArray<Address>.Empty
                : new Refusal(
                    RefusalKind.Invalid, what, "With --endpoint-mode dnsrr it has no virtual address.",
                    "Leave `--vip` out, or use `--endpoint-mode vip`.");
        }

        ImmutableArray<Address>.Builder chosen = ImmutableArray.CreateBuilder<Address>();
        foreach (string text in spec.VirtualAddresses)
        {
            if (!Given(text).TryGet(out Address address, out Refusal? refusal))
            {
                return refusal;
            }

            if (chosen.Any(other => other.IsIpv6 == address.IsIpv6))
            {
                return new Refusal(
                    RefusalKind.Invalid, what, $"More than one virtual {(address.IsIpv6 ? "IPv6" : "IPv4")} address was given.",
                    "Give `--vip` at most once for each family.");
            }

            chosen.Add(address);
        }

        foreach (bool ipv6 in (ReadOnlySpan<bool>)[false, true])
        {
            AddressPlan[] plans = [.. network.Segments.Select(segment => AddressPlan.Of(segment, ipv6)).OfType<AddressPlan>()];
            if (plans.Length == 0 || chosen.Any(address => address.IsIpv6 == ipv6))
            {
                continue;
            }

            if (FirstFree(plans) is not Address free)
            {
                return AddressChanges.Exhausted(state, network, plans[0], what);
            }

            chosen.Add(free);
        }

        chosen.Sort();
        return chosen.ToImmutable();
    }

    private Outcome<Address> Given(string text)
    {
        if (!StaticAddress.Read(network, text, what, "`--vip 10.1.0.5` or `--vip fd00:1::5`")
            .TryGet(out StaticAddress? found, out Refusal? refusal))
        {
            return refusal;
        }

        if (AddressChanges.BlockFault(state, network, found.Address, nodeId: "", what, unixMs) is { } inBlock)
        {
            return inBlock;
        }

        return state.Reservation($"{network.Id}/{found.Address}") is { } present
            ? AddressChanges.TakenFault(state, present, what, unixMs)
            : found.Address;
    }

    private Address? FirstFree(AddressPlan[] plans)
    {
        foreach (AddressPlan plan in plans)
        {
            if (LeasesAhead.LedgerOf(state, network.Id, plan).TakeSingle() is Address free)
            {
                return free;
            }
        }

        return null;
    }
}

using Overlay.Cluster.Addresses;

namespace Overlay.Cluster.Intents;

/// <summary>Which prefixes can be subnets at all, whatever else exists.</summary>
internal static class AddressRules
{
    private const int ShortestSubnet = 8;
    private const int LongestSubnet4 = 30;
    private const int LongestSubnet6 = 124;

    // IANA special-purpose registries (RFC 6890): what no host can have as a unicast address of its own choosing.
    private static readonly (Prefix Prefix, string Meaning)[] Forbidden =
    [
        (Prefix.Parse("0.0.0.0/8"), "addresses of \"this network\""),
        (Prefix.Parse("127.0.0.0/8"), "loopback addresses"),
        (Prefix.Parse("169.254.0.0/16"), "link-local addresses"),
        (Prefix.Parse("224.0.0.0/3"), "multicast and reserved addresses"),
        (Prefix.Parse("::/8"), "loopback and IPv4-embedding addresses"),
        (Prefix.Parse("fe80::/10"), "link-local addresses"),
        (Prefix.Parse("ff00::/8"), "multicast addresses"),
    ];

    /// <summary>Reads a prefix given by an operator.</summary>
    /// <param name="what">The sentence that says what failed.</param>
    /// <param name="option">The option that it came by, for the advice.</param>
    public static Outcome<Prefix> ReadPrefix(string? text, string what, string option)
    {
        if (!Prefix.TryParseWithHostBits(text, out Prefix prefix, out Address given))
        {
            return new Refusal(
                RefusalKind.Invalid, what, $"{Refusal.Quote(text)} is not a prefix.",
                $"Write an address, a slash and a length, for example `{option} 10.1.0.0/24`.");
        }

        return given == prefix.First
            ? prefix
            : new Refusal(
                RefusalKind.Invalid, what, $"{Refusal.Quote(text)} has bits set behind its first {prefix.Length}.",
                $"Type `{option} {prefix}`.");
    }

    public static Outcome<Prefix> ReadSubnet(string? text, string what, string option)
    {
        if (!ReadPrefix(text, what, option).TryGet(out Prefix prefix, out Refusal? refusal))
        {
            return refusal;
        }

        int longest = prefix.IsIpv6 ? LongestSubnet6 : LongestSubnet4;
        if (prefix.Length < ShortestSubnet || prefix.Length > longest)
        {
            return new Refusal(
                RefusalKind.Invalid, what, $"{prefix} has the length {prefix.Length}.",
                $"Use a length from {ShortestSubnet} to {longest}.");
        }

        foreach ((Prefix forbidden, string meaning) in Forbidden)
        {
            if (forbidden.Overlaps(prefix))
            {
                return new Refusal(
                    RefusalKind.Invalid, what, $"{prefix} overlaps {forbidden}, which are {meaning}.",
                    $"Use a private prefix, for example `{option} {(prefix.IsIpv6 ? "fd00:1::/64" : "10.1.0.0/24")}`.");
            }
        }

        return prefix;
    }
}

using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>
/// Rules of a chain that give each flow one of several backends. Who is to come back to the backend that it had is in a set of that
/// backend's, which forgets: a backend that goes takes its clients' entries along, and touches no others'.
/// </summary>
internal static class FlowChains
{
    /// <summary>Clients that a backend's set has room for; others are chosen for anew with each flow.</summary>
    private const int MostClients = 65535;

    /// <summary>
    /// What one version of nft(8) or another takes for the kernel's own time of some state, and does not list: a second more is, and
    /// so is known again.
    /// </summary>
    private static readonly long[] Unlisted = [10, 30, 60, 120, 180, 300, 432_000];

    /// <summary>Whether a chain is a backend's own, and of which chain.</summary>
    public static string OwnerOf(string chain) => chain.IndexOf('.', StringComparison.Ordinal) is var dot and > 0 ? chain[..dot] : chain;

    /// <param name="chain">Has no dot in its name; what else is made has that name and more behind a dot.</param>
    /// <param name="protocols">Those that come here.</param>
    /// <param name="isShared">Flows of the other family come here, too.</param>
    /// <param name="translation">The rule that translates to an address, or by an expression that is one.</param>
    public static FlowRules Of(
        string chain, BackendChoice choice, FlowPolicy policy, ReadOnlySpan<PortProtocol> protocols, bool isShared,
        Func<string, string> translation)
    {
        string family = choice.IsIpv6 ? "ip6" : "ip";
        string guard = !isShared ? "" : choice.IsIpv6 ? "meta nfproto ipv6 " : "meta nfproto ipv4 ";
        FlowRules timeouts = Timeouts($"{chain}.{family}", family, policy, protocols, guard);
        if (policy.Sticky <= TimeSpan.Zero)
        {
            return timeouts with { Lines = timeouts.Lines.Add(translation(choice.Address())) };
        }

        ImmutableArray<string> known = choice.Backends.Length == 1
            ? []
            : [.. choice.Backends.Select(b => $"{family} saddr @{Own(b.Address)} goto {Own(b.Address)}")];
        return new(
            [.. timeouts.Lines, .. known, guard + choice.Verdict(Own)],
            [.. timeouts.Parts, .. choice.Backends.SelectMany(b => Backend(b.Address))]);

        string Own(IPAddress backend) => $"{chain}.{InetText.Of(backend).Replace(':', '.')}";

        NftPart[] Backend(IPAddress address) =>
        [
            new(
                $"set {Own(address)}",
                [
                    $"type {(choice.IsIpv6 ? "ipv6_addr" : "ipv4_addr")}", string.Create(CultureInfo.InvariantCulture, $"size {MostClients}"),
                    "flags dynamic,timeout", $"timeout {Text(policy.Sticky)}",
                ]),
            NftPart.Chain(Own(address), $"update @{Own(address)} {{ {family} saddr }}", translation(InetText.Of(address))),
        ];
    }

    /// <summary>How long conntrack keeps flows that begin here, where that is not left to the kernel.</summary>
    /// <param name="name">What the objects are called, with their protocol behind a dot.</param>
    /// <param name="match">What a rule begins with; empty, or with a blank at its end.</param>
    public static FlowRules Timeouts(string name, string family, FlowPolicy policy, ReadOnlySpan<PortProtocol> protocols, string match)
    {
        FlowRules rules = new([], []);
        foreach (PortProtocol protocol in protocols)
        {
            string[] states = protocol switch
            {
                PortProtocol.Tcp =>
                [
                    .. State("established", policy.Tcp), .. State("fin_wait", policy.TcpFin), .. State("close_wait", policy.TcpFin),
                    .. State("last_ack", policy.TcpFin),
                ],
                PortProtocol.Udp => [.. State("unreplied", policy.Udp), .. State("replied", policy.Udp)],
                _ => [],
            };
            if (states.Length > 0)
            {
                string text = PublishedPorts.Text(protocol);
                rules = new(
                    rules.Lines.Add($"{match}meta l4proto {text} ct timeout set \"{name}.{text}\""),
                    rules.Parts.Add(new(
                        $"ct timeout {name}.{text}", [$"protocol {text}", $"l3proto {family}", $"policy = {{ {string.Join(", ", states)} }}"])));
            }
        }

        return rules;
    }

    private static IEnumerable<string> State(string name, TimeSpan timeout)
    {
        long seconds = (long)timeout.TotalSeconds;
        return seconds <= 0
            ? []
            : [string.Create(CultureInfo.InvariantCulture, $"{name} : {(Unlisted.Contains(seconds) ? seconds + 1 : seconds)}")];
    }

    /// <summary>As nft(8) prints it: 90 s are 1m30s.</summary>
    private static string Text(TimeSpan span) => string.Concat(
        new[] { (span.Days, 'd'), (span.Hours, 'h'), (span.Minutes, 'm'), (span.Seconds, 's') }
            .Where(static part => part.Item1 > 0).Select(static part => string.Create(CultureInfo.InvariantCulture, $"{part.Item1}{part.Item2}")));
}

/// <param name="Lines">Rules of a chain.</param>
/// <param name="Parts">What they refer to.</param>
internal readonly record struct FlowRules(ImmutableArray<string> Lines, ImmutableArray<NftPart> Parts);

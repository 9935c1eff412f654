using System.Net;
using Overlay.Cluster;

namespace Overlay.Daemon.Configuration;

/// <summary>The same, over the addresses that this host has now.</summary>
internal static partial class AddressSelection
{
    /// <summary>Chooses an address of this host.</summary>
    /// <param name="flag">--advertise-addr, --listen-addr or --data-path-addr.</param>
    /// <param name="request">What the user wrote; empty: nothing.</param>
    /// <param name="towards">
    /// Addresses (ip:port) this node is about to talk to: of several possible addresses, the one that the routes to the
    /// first of these leave from is taken. Null or empty: several possible addresses are refused.
    /// </param>
    public static Outcome<IPAddress> Select(string flag, string request, IEnumerable<string>? towards = null) =>
        ChooseHere(flag, request, towards) switch
        {
            AddressChoice.Chosen chosen => chosen.Address,
            AddressChoice.Refused refused => ToRefusal(refused),
            _ => throw new System.Diagnostics.UnreachableException(),
        };

    /// <summary>As <see cref="Select"/>, with a port: the request's, else <paramref name="port"/>.</summary>
    public static Outcome<IPEndPoint> SelectEndPoint(string flag, string request, int port) =>
        ChooseHere(flag, request, towards: null) switch
        {
            AddressChoice.Chosen chosen => new IPEndPoint(chosen.Address, chosen.Port == 0 ? port : chosen.Port),
            AddressChoice.Refused refused => ToRefusal(refused),
            _ => throw new System.Diagnostics.UnreachableException(),
        };

    private static AddressChoice ChooseHere(string flag, string request, IEnumerable<string>? towards)
    {
        IPAddress? source = null;
        foreach (string peer in towards ?? [])
        {
            if (source is null && AddressText.TryParseWithPort(peer, out IPEndPoint endpoint))
            {
                source = HostAddresses.SourceTowards(endpoint);
            }
        }

        return Choose(UseOf(flag), request, HostAddresses.Current(), source);
    }

    private static AddressUse UseOf(string flag) =>
        Enum.GetValues<AddressUse>().First(use => FlagOf(use) == flag);

    private static Refusal ToRefusal(AddressChoice.Refused refused) =>
        new(RefusalKind.Invalid, refused.What, refused.Why, refused.Next);
}

using System.Collections.Immutable;
using System.Net;

namespace Overlay.Linux.Conntrack;

/// <summary>One flow as conntrack knows it.</summary>
/// <param name="Family">AF_INET or AF_INET6.</param>
/// <param name="Protocol">Of IP: 6 is TCP, 17 UDP.</param>
/// <param name="Destination">Where its first packet was sent to.</param>
/// <param name="DestinationPort">The port there; 0 where the protocol has none.</param>
/// <param name="Answerer">Where it went, and answers come from.</param>
/// <param name="AnswererPort">The port there.</param>
/// <param name="Answered">A packet came back.</param>
/// <param name="OriginalTuple">CTA_TUPLE_ORIG as it was read.</param>
/// <param name="Identity">CTA_ID as it was read.</param>
internal sealed record FlowRecord(
    byte Family, byte Protocol, IPAddress Destination, int DestinationPort, IPAddress Answerer, int AnswererPort, bool Answered,
    byte[] OriginalTuple, byte[] Identity)
{
    private const byte Tcp = 6;
    private const byte Sctp = 132;

    /// <summary>
    /// Goes to a virtual address, and elsewhere than to its backends. A connection that was answered has state at both ends:
    /// it ends by itself, and would not survive being taken elsewhere.
    /// </summary>
    public bool IsStale(ImmutableSortedDictionary<IPAddress, ImmutableSortedSet<IPAddress>> backends) =>
        !IsConnection && backends.TryGetValue(Destination, out ImmutableSortedSet<IPAddress>? kept) && !kept.Contains(Answerer);

    /// <summary>Goes to a published port of this host, and elsewhere than to its backends.</summary>
    public bool IsStale(
        ImmutableSortedDictionary<(byte Protocol, int Port), ImmutableSortedSet<string>> targets, ImmutableSortedSet<IPAddress> local) =>
        !IsConnection && targets.TryGetValue((Protocol, DestinationPort), out ImmutableSortedSet<string>? kept)
        && !kept.Contains(new IPEndPoint(Answerer, AnswererPort).ToString()) && local.Contains(Destination);

    private bool IsConnection => Answered && Protocol is (Tcp or Sctp);
}

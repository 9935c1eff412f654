using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Overlay.Dataplane;
using Overlay.Linux.Execution;
using Overlay.Linux.Native;

namespace Overlay.Linux.Sockets;

/// <summary>
/// The host's ports that are translated, held by sockets that are bound and never listen: another program that wants one is
/// told EADDRINUSE instead of waiting for clients that never come, and one that has it keeps it.
/// </summary>
internal sealed class PortClaims(NamespaceSessions sessions) : IDisposable
{
    private const int Stream = 1;
    private const int Datagram = 2;
    private const byte Tcp = 6;
    private const byte Udp = 17;

    private readonly Dictionary<PortClaim, SafeFd> held = [];

    /// <summary>Lets go of others and takes these, as far as they are free.</summary>
    /// <returns>Those that another program has, with the errno.</returns>
    public IReadOnlyList<(PortClaim Claim, int Errno)> Set(IReadOnlyCollection<PortClaim> claims)
    {
        // SCTP is rarely in a kernel, and a program without it in the kernel cannot take its ports.
        HashSet<PortClaim> wanted = [.. claims.Where(static c => c.Protocol is Tcp or Udp)];
        foreach (PortClaim claim in held.Keys.Except(wanted).ToArray())
        {
            held[claim].Dispose();
            held.Remove(claim);
        }

        List<(PortClaim, int)> refused = [];
        foreach (PortClaim claim in wanted.Where(c => !held.ContainsKey(c)))
        {
            if (Take(claim) is var errno and not 0)
            {
                refused.Add((claim, errno));
            }
        }

        return refused;
    }

    public void Dispose()
    {
        foreach (SafeFd socket in held.Values)
        {
            socket.Dispose();
        }

        held.Clear();
    }

    private int Take(PortClaim claim)
    {
        sessions.Enter(sessions.Open(NamespaceName.Host));
        bool ipv6 = claim.Address.AddressFamily == AddressFamily.InterNetworkV6;
        int type = claim.Protocol == Tcp ? Stream : Datagram;
        SafeFd socket = Libc.Socket(ipv6 ? Libc.FamilyInet6 : Libc.FamilyInet, type | Libc.SocketCloseOnExec, 0);
        if (socket.IsInvalid)
        {
            return Errno.Last;
        }

        SockAddrIn name = NameOf(claim, ipv6, out int length);
        // Each family has a claim of its own. Without SO_REUSEADDR: with it on both sides a socket that does not listen stands in
        // nobody's way.
        if ((ipv6 && Libc.SetSocketOption(socket, Libc.LevelIpv6, Libc.OptionIpv6Only, [1], sizeof(int)) != 0)
            || Libc.Bind(socket, in name, length) != 0)
        {
            int errno = Errno.Last;
            socket.Dispose();
            return errno;
        }

        held[claim] = socket;
        return 0;
    }

    private static unsafe SockAddrIn NameOf(PortClaim claim, bool ipv6, out int length)
    {
        SockAddrIn name = new()
        {
            Family = ipv6 ? Libc.FamilyInet6 : Libc.FamilyInet,
            Port = BinaryPrimitives.ReverseEndianness((ushort)claim.Port),
        };
        length = ipv6 ? Libc.AddressInet6Length : Libc.AddressInetLength;
        Span<byte> address = ipv6 ? new(name.Address6, 16) : MemoryMarshal.AsBytes(new Span<uint>(ref name.Address4));
        claim.Address.TryWriteBytes(address, out _);
        return name;
    }
}

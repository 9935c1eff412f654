using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Linux.Namespaces;

namespace Overlay.Daemon.Names;

/// <summary>
/// Sockets on 127.0.0.11:53 inside a sandbox: a socket belongs to the namespace of the thread that made it, so they are
/// made on a thread that enters the namespace and ends, and used from everywhere.
/// </summary>
internal sealed class NamespaceSocketFactory(NamespaceDirectory namespaces) : ISandboxSocketFactory
{
    public static readonly IPEndPoint Address = new(IPAddress.Parse("127.0.0.11"), 53);

    private const int LevelSocket = 1;
    private const int OptionReuseAddress = 2;
    private const int Backlog = 16;

    public SandboxSockets Open(NamespaceName sandbox)
    {
        try
        {
            using NamespaceHandle target = namespaces.Open(sandbox);
            return InNamespace.Run(target, () => Bind(Identity(target)));
        }
        catch (KernelException e)
        {
            throw new NameServerException($"no names in sandbox {sandbox}: {e.Message}", e);
        }
        catch (SocketException e)
        {
            string advice = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse =>
                    "another program listens there; stop it inside the sandbox (ss -lnup shows it)",
                SocketError.NetworkUnreachable or SocketError.HostUnreachable or SocketError.AddressNotAvailable =>
                    "the loopback interface is down; type inside the sandbox: ip link set lo up",
                _ => e.Message,
            };
            throw new NameServerException($"no names in sandbox {sandbox}: cannot bind {Address}: {advice}", e);
        }
    }

    public string? IdentityOf(NamespaceName sandbox)
    {
        try
        {
            using NamespaceHandle? target = namespaces.TryOpen(sandbox);
            return target is null ? null : Identity(target);
        }
        catch (KernelException)
        {
            // Not readable now: the next look decides.
            return null;
        }
    }

    private static string Identity(NamespaceHandle target) => $"{target.Identity.Device}:{target.Identity.Inode}";

    private static SandboxSockets Bind(string identity)
    {
        Socket? udp = null;
        Socket? tcp = null;
        try
        {
            udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            tcp = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

            // Where the loopback interface was never up the kernel would let us bind, but send from 127.0.0.1, which
            // clients do not accept: looking for a route finds that out first.
            using (Socket probe = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
            {
                probe.Connect(Address);
            }

            // Connections of a former agent may linger.
            tcp.SetRawSocketOption(LevelSocket, OptionReuseAddress, BitConverter.GetBytes(1));
            udp.Bind(Address);
            tcp.Bind(Address);
            tcp.Listen(Backlog);
            return new(udp, tcp, identity);
        }
        catch
        {
            udp?.Dispose();
            tcp?.Dispose();
            throw;
        }
    }
}

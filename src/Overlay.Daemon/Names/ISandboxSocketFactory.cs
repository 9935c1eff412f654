using System.Net.Sockets;
using Overlay.Dataplane;

namespace Overlay.Daemon.Names;

/// <summary>Makes the sockets of a sandbox's resolver inside its network namespace.</summary>
internal interface ISandboxSocketFactory
{
    /// <exception cref="NameServerException">They can not be made; the message says why and what to do.</exception>
    SandboxSockets Open(NamespaceName sandbox);

    /// <summary>Which namespace the name means now; null: none. Differs after it was made anew.</summary>
    string? IdentityOf(NamespaceName sandbox);
}

/// <summary>A bound UDP socket and a listening TCP socket, and the namespace they are in.</summary>
internal sealed record SandboxSockets(Socket Udp, Socket Tcp, string Identity) : IDisposable
{
    public void Dispose()
    {
        Udp.Dispose();
        Tcp.Dispose();
    }
}

/// <summary>A sandbox has no resolver; the message is fit for `status`.</summary>
internal sealed class NameServerException(string message, Exception? inner = null) : Exception(message, inner);

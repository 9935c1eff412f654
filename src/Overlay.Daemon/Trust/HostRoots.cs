using Overlay.Linux.Native;

namespace Overlay.Daemon.Trust;

/// <summary>
/// The authorities that the host trusts (/etc/ssl/certs). Nothing of the cluster is judged by them, but the framework
/// reads and parses them all, some 140 files, at the first handshake, although the chain is to end at a root of ours.
/// </summary>
internal static class HostRoots
{
    private const string Nothing = "/dev/null";

    /// <summary>The variables that say where they are (SSL_CERT_FILE(7), OpenSSL).</summary>
    private static readonly string[] Places = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

    /// <summary>Before the first handshake, and before there are other threads.</summary>
    public static void LeaveUnread()
    {
        foreach (string place in Places)
        {
            NativeEnvironment.Set(place, Nothing);
        }
    }
}

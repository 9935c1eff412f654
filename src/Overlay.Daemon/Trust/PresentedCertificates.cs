using System.Security.Cryptography.X509Certificates;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>
/// Who is at the other end of the channel: noted while there is no root to judge by, and judged from then on. A channel
/// may connect anew at any time, so everything that was noted must be good.
/// </summary>
internal sealed class PresentedCertificates(TimeProvider time)
{
    private readonly Lock gate = new();
    private readonly List<(byte[] Certificate, byte[][] Along)> noted = [];
    private X509Certificate2? root;

    public string? Fault(X509Certificate2? peer, X509Certificate2Collection? along)
    {
        lock (gate)
        {
            if (root is not null)
            {
                return FaultOf(peer, along, root);
            }

            noted.Add((peer?.RawData ?? [], [.. (along ?? []).Select(static c => c.RawData)]));
            return null;
        }
    }

    /// <returns>Null: every connection until now is a manager's, by this root.</returns>
    public string? Pin(X509Certificate2 pinned)
    {
        lock (gate)
        {
            root = pinned;
            foreach ((byte[] certificate, byte[][] along) in noted)
            {
                using X509Certificate2? peer = certificate.Length == 0 ? null : X509CertificateLoader.LoadCertificate(certificate);
                if (FaultOf(peer, NodeIdentity.Read(along), pinned) is { } fault)
                {
                    return fault;
                }
            }

            return null;
        }
    }

    private string? FaultOf(X509Certificate2? peer, X509Certificate2Collection? along, X509Certificate2 by) =>
        ChainVerifier.Fault(peer, along, [by], clusterId: null, NodeRole.Manager, time.GetUtcNow());
}

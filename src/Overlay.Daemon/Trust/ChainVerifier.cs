using System.Security.Cryptography.X509Certificates;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>Believes certificates of one cluster's roots, and no others: not the system's store, not by name alone.</summary>
internal static class ChainVerifier
{
    private const int MaxIntermediates = 4;

    /// <summary>Null: the certificate is of this cluster and valid now. Else why not.</summary>
    /// <param name="peer">What the peer presented.</param>
    /// <param name="intermediates">What it presented along with it: at most the cross certificate of a new root counts.</param>
    /// <param name="roots">The cluster's: one, or two while the root is being replaced.</param>
    /// <param name="clusterId">What O must say; null: whatever the root's own O says.</param>
    /// <param name="needed">The role the peer must have; null: any.</param>
    /// <param name="expiredToo">Its own time may be over: whoever asks has another reason to believe it.</param>
    public static string? Fault(
        X509Certificate2? peer, X509Certificate2Collection? intermediates, IReadOnlyList<X509Certificate2> roots, string? clusterId,
        NodeRole? needed, DateTimeOffset now, bool expiredToo = false)
    {
        if (peer is null)
        {
            return "no certificate was presented";
        }

        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots.ToArray());
        if (intermediates is { Count: <= MaxIntermediates })
        {
            chain.ChainPolicy.ExtraStore.AddRange(intermediates);
        }

        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        DateTime end = peer.NotAfter.AddSeconds(-1);
        chain.ChainPolicy.VerificationTime = expiredToo && end < now.LocalDateTime ? end : now.LocalDateTime;
        if (!chain.Build(peer))
        {
            string[] faults = [.. chain.ChainStatus.Select(static s => s.Status.ToString()).Distinct()];
            return faults.Length == 0 ? "its chain cannot be built" : string.Join(", ", faults);
        }

        X509Certificate2 root = chain.ChainElements[^1].Certificate;
        bool crossed = chain.ChainElements.Count == 3
            && chain.ChainElements[1].Certificate.SubjectName.RawData.AsSpan().SequenceEqual(root.SubjectName.RawData);
        if (chain.ChainElements.Count != 2 && !crossed)
        {
            return "the certificate is not signed by the root itself";
        }

        if (!PeerPrincipal.TryParse(peer, out PeerPrincipal? principal))
        {
            return "its subject does not name a node, a role and a cluster";
        }

        if (principal.ClusterId != (clusterId ?? PeerPrincipal.OrganizationOf(root)))
        {
            return $"it is of cluster {principal.ClusterId}";
        }

        return needed is { } role && principal.Role != role ? $"its role is {principal.Role.ToString().ToLowerInvariant()}" : null;
    }
}

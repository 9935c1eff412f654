using System.Security.Cryptography.X509Certificates;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>Believes certificates of one cluster's root, and no others: not the system's store, not by name alone.</summary>
internal static class ChainVerifier
{
    /// <summary>Null: the certificate is of this cluster and valid now. Else why not.</summary>
    /// <param name="peer">What the peer presented.</param>
    /// <param name="root">The cluster's root.</param>
    /// <param name="clusterId">What O must say; null: whatever the root's own O says.</param>
    /// <param name="needed">The role the peer must have; null: any.</param>
    public static string? Fault(X509Certificate2? peer, X509Certificate2 root, string? clusterId, NodeRole? needed, DateTimeOffset now)
    {
        if (peer is null)
        {
            return "no certificate was presented";
        }

        using X509Chain chain = new();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(root);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.VerificationTime = now.LocalDateTime;
        if (!chain.Build(peer))
        {
            string[] faults = [.. chain.ChainStatus.Select(static s => s.Status.ToString()).Distinct()];
            return faults.Length == 0 ? "its chain cannot be built" : string.Join(", ", faults);
        }

        if (chain.ChainElements.Count != 2)
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

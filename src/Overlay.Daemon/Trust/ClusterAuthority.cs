using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>
/// Who signs for the cluster now: the root in force, or the one on its way to the nodes, together with the cross
/// certificate by which nodes that know only the former believe it.
/// </summary>
internal sealed class ClusterAuthority
{
    private volatile Signer? last;

    /// <param name="Authority">Whose key signs.</param>
    /// <param name="Intermediates">What is presented along with what it signs; empty: everybody knows the root itself.</param>
    public sealed record Signer(CertificateAuthority Authority, IReadOnlyList<ByteString> Intermediates);

    public Signer For(ClusterObject cluster)
    {
        (ByteString certificate, ByteString key, IReadOnlyList<ByteString> intermediates) = cluster.CaRotation is { } rotation
            ? (rotation.CaCertificate, rotation.CaKey, (IReadOnlyList<ByteString>)[rotation.CrossCertificate])
            : (cluster.CaCertificate, cluster.CaKey, []);
        if (last is { } made && made.Authority.CertificateDer.AsSpan().SequenceEqual(certificate.Span)
            && made.Intermediates.Count == intermediates.Count)
        {
            return made;
        }

        // The one before may be signing at this moment: it is left to the collector.
        Signer next = new(CertificateAuthority.Load(certificate.ToByteArray(), key.ToByteArray()), intermediates);
        last = next;
        return next;
    }

    /// <summary>The digest of the root that signs now, so what a member will say of the certificate that it gets.</summary>
    public static ByteString RootDigestOf(ClusterObject cluster) => ByteString.CopyFrom(
        System.Security.Cryptography.SHA256.HashData((cluster.CaRotation?.CaCertificate ?? cluster.CaCertificate).Span));

    /// <summary>The digest of the root whose key signed a member's certificate; empty: none of the cluster's present ones.</summary>
    public static ByteString RootDigestOf(X509Certificate2 member, ClusterObject cluster)
    {
        ReadOnlyMemory<byte>? issuer = member.Extensions.OfType<X509AuthorityKeyIdentifierExtension>().SingleOrDefault()?.KeyIdentifier;
        ByteString[] roots = cluster.CaRotation is { } rotation ? [rotation.CaCertificate, cluster.CaCertificate] : [cluster.CaCertificate];
        foreach (ByteString der in roots)
        {
            using X509Certificate2 root = X509CertificateLoader.LoadCertificate(der.Span);
            ReadOnlyMemory<byte>? key = root.Extensions.OfType<X509SubjectKeyIdentifierExtension>().SingleOrDefault()?.SubjectKeyIdentifierBytes;
            Invariant.Holds(key is not null, "a root has a key identifier");
            if (issuer is { } named && named.Span.SequenceEqual(key!.Value.Span))
            {
                return ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(der.Span));
            }
        }

        return ByteString.Empty;
    }
}

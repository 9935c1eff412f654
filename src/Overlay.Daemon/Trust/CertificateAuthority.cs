using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>
/// The cluster's own root: ECDSA P-256. Node certificates say who the node is (CN), what it may do (OU) and to which
/// cluster it belongs (O); nothing in a request but its key is believed.
/// </summary>
internal sealed class CertificateAuthority : IDisposable
{
    public const string ManagerName = "overlayd-manager";
    private const int RootYears = 20;
    private const int LongestRequest = 8192;

    /// <summary>
    /// Certificates begin in the past, for nodes whose clocks are behind; by a share of their life, so that a short
    /// life is not over half before it begins.
    /// </summary>
    private const double BackdateShare = 0.1;
    private static readonly TimeSpan LongestBackdate = TimeSpan.FromHours(1);
    private static readonly Oid ServerUse = new("1.3.6.1.5.5.7.3.1");
    private static readonly Oid ClientUse = new("1.3.6.1.5.5.7.3.2");

    private readonly X509Certificate2 root;

    private CertificateAuthority(X509Certificate2 root) => this.root = root;

    public byte[] CertificateDer => root.RawData;

    public static CertificateAuthority Create(string clusterId, DateTimeOffset now)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(Subject("overlayd root", "overlayd-ca", clusterId), key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(
            new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        return new(request.CreateSelfSigned(now - LongestBackdate, now.AddYears(RootYears)));
    }

    /// <summary>
    /// Signs the name and key of a root that is to follow this one, so that who knows only this one believes what that one
    /// signs. Both have the same name: such a certificate does not count towards the length of a path (RFC 5280, 6.1).
    /// </summary>
    public byte[] CrossSign(CertificateAuthority next)
    {
        CertificateRequest request = new(next.root.SubjectName, next.root.PublicKey, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(root, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        DateTime from = next.root.NotBefore > root.NotBefore ? next.root.NotBefore : root.NotBefore;
        DateTime until = next.root.NotAfter < root.NotAfter ? next.root.NotAfter : root.NotAfter;
        using X509Certificate2 signed = request.Create(root, from, until, RandomNumberGenerator.GetBytes(16));
        return signed.RawData;
    }

    /// <param name="certificate">X.509 DER.</param>
    /// <param name="key">PKCS#8.</param>
    public static CertificateAuthority Load(ReadOnlySpan<byte> certificate, ReadOnlySpan<byte> key)
    {
        using X509Certificate2 bare = X509CertificateLoader.LoadCertificate(certificate);
        using ECDsa ecdsa = ECDsa.Create();
        ecdsa.ImportPkcs8PrivateKey(key, out _);
        return new(bare.CopyWithPrivateKey(ecdsa));
    }

    public byte[] ExportKey()
    {
        using ECDsa key = root.GetECDsaPrivateKey()!;
        return key.ExportPkcs8PrivateKey();
    }

    /// <summary>Signs the key of a certificate request for a node; the subject in the request is ignored.</summary>
    public Outcome<byte[]> SignNode(
        byte[] certificateRequest, NodeId node, NodeRole role, string clusterId, TimeSpan life, DateTimeOffset now)
    {
        Invariant.Holds(role is NodeRole.Worker or NodeRole.Manager, "a certificate has a role");
        Outcome<PublicKey> asked = KeyOf(certificateRequest);
        if (asked.Refusal is { } refusal)
        {
            return refusal;
        }

        TimeSpan backdate = life * BackdateShare < LongestBackdate ? life * BackdateShare : LongestBackdate;
        DateTimeOffset from = now - backdate > root.NotBefore ? now - backdate : root.NotBefore;
        DateTimeOffset until = now + life < root.NotAfter ? now + life : root.NotAfter;
        if (until <= now || until <= from)
        {
            return Refused("By this manager's clock the cluster's root certificate is not valid now.");
        }

        CertificateRequest request = new(
            Subject(node.ToString(), PeerPrincipal.UnitOf(role), clusterId), asked.Value, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(node.ToString());
        if (role == NodeRole.Manager)
        {
            names.AddDnsName(ManagerName);
        }

        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([ServerUse, ClientUse], true));
        request.CertificateExtensions.Add(
            X509AuthorityKeyIdentifierExtension.CreateFromCertificate(root, includeKeyIdentifier: true, includeIssuerAndSerial: false));
        using X509Certificate2 signed = request.Create(root, from, until, RandomNumberGenerator.GetBytes(16));
        return signed.RawData;
    }

    /// <summary>Why a certificate request cannot be signed; null: it can.</summary>
    public static Refusal? FaultOf(byte[] certificateRequest) => KeyOf(certificateRequest).Refusal;

    public void Dispose() => root.Dispose();

    private static Outcome<PublicKey> KeyOf(byte[] certificateRequest)
    {
        if (certificateRequest.Length > LongestRequest)
        {
            return Refused("It is far longer than a PKCS#10 request.");
        }

        try
        {
            // Verifies the request's own signature: the caller holds the private key.
            PublicKey key = CertificateRequest.LoadSigningRequest(
                certificateRequest, HashAlgorithmName.SHA256, CertificateRequestLoadOptions.Default, RSASignaturePadding.Pkcs1)
                .PublicKey;
            using ECDsa? curve = key.GetECDsaPublicKey();
            return curve?.ExportParameters(false).Curve.Oid?.Value == ECCurve.NamedCurves.nistP256.Oid.Value
                ? key
                : Refused("Its key is not ECDSA P-256.");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or NotSupportedException)
        {
            return Refused("It is not a PKCS#10 request with a valid signature.");
        }
    }

    private static X500DistinguishedName Subject(string name, string unit, string organization)
    {
        X500DistinguishedNameBuilder builder = new();
        builder.AddOrganizationName(organization);
        builder.AddOrganizationalUnitName(unit);
        builder.AddCommonName(name);
        return builder.Build();
    }

    private static Refusal Refused(string why) => new(
        RefusalKind.Invalid, "The certificate request was refused.", why, "Join again with `overlayd join`.");
}

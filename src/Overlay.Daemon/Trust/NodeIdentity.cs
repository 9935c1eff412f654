using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Overlay.Cluster;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>
/// This node's key, certificate and the cluster's root, in files that only root may read. The key never leaves the
/// host; a renewal keeps it and replaces the certificate.
/// </summary>
internal sealed class NodeIdentity
{
    private const string Folder = "certificates";
    private const string KeyFile = "node.key";
    private const string CertificateFile = "node.crt";
    private const string RootFile = "ca.crt";

    private readonly string folder;
    private readonly ECDsa key;
    private volatile X509Certificate2 certificate;

    private NodeIdentity(string folder, ECDsa key, X509Certificate2 certificate, X509Certificate2 root)
    {
        this.folder = folder;
        this.key = key;
        this.certificate = WithKey(certificate, key);
        Root = root;
        PeerPrincipal principal = PeerPrincipal.TryParse(certificate, out PeerPrincipal? parsed)
            ? parsed
            : throw new InvalidDataException($"{Path.Combine(folder, CertificateFile)} does not name a node of a cluster.");
        Node = principal.Node;
        Role = principal.Role;
        ClusterId = principal.ClusterId;
    }

    public NodeId Node { get; }

    public NodeRole Role { get; }

    public string ClusterId { get; }

    public X509Certificate2 Root { get; }

    /// <summary>With its private key; replaced by a renewal, so ask for it at every handshake.</summary>
    public X509Certificate2 Certificate => certificate;

    public DateTimeOffset NotBefore => certificate.NotBefore.ToUniversalTime();

    public DateTimeOffset NotAfter => certificate.NotAfter.ToUniversalTime();

    /// <summary>The first identity of a cluster, signed by its own root.</summary>
    public static NodeIdentity Create(
        string stateFolder, CertificateAuthority authority, NodeId node, NodeRole role, string clusterId, TimeSpan life,
        DateTimeOffset now)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Outcome<byte[]> signed = authority.SignNode(RequestFor(key), node, role, clusterId, life, now);
        Invariant.Holds(!signed.IsRefused, "our own request is signed");
        return Store(stateFolder, key, signed.Value, authority.CertificateDer);
    }

    public static NodeIdentity Store(string stateFolder, ECDsa key, byte[] certificate, byte[] root)
    {
        string folder = Path.Combine(stateFolder, Folder);
        Directory.CreateDirectory(folder, DurableFile.PrivateFolder);
        DurableFile.WriteAtomically(Path.Combine(folder, KeyFile), key.ExportPkcs8PrivateKey());
        DurableFile.WriteAtomically(Path.Combine(folder, RootFile), root);
        DurableFile.WriteAtomically(Path.Combine(folder, CertificateFile), certificate);
        return new(folder, key, X509CertificateLoader.LoadCertificate(certificate), X509CertificateLoader.LoadCertificate(root));
    }

    /// <exception cref="InvalidDataException">A file is missing or is not what this agent wrote.</exception>
    public static NodeIdentity Load(string stateFolder)
    {
        string folder = Path.Combine(stateFolder, Folder);
        try
        {
            ECDsa key = ECDsa.Create();
            key.ImportPkcs8PrivateKey(File.ReadAllBytes(Path.Combine(folder, KeyFile)), out _);
            return new(
                folder, key, X509CertificateLoader.LoadCertificate(File.ReadAllBytes(Path.Combine(folder, CertificateFile))),
                X509CertificateLoader.LoadCertificate(File.ReadAllBytes(Path.Combine(folder, RootFile))));
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException
            or UnauthorizedAccessException)
        {
            throw new InvalidDataException(
                $"The node's certificate in {folder} cannot be used ({e.Message}). Restore the folder, or type `overlayd leave --force` and join again.", e);
        }
    }

    public static void Erase(string stateFolder)
    {
        string folder = Path.Combine(stateFolder, Folder);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>A PKCS#10 request for a key; the subject does not matter.</summary>
    public static byte[] RequestFor(ECDsa key) =>
        new CertificateRequest("CN=overlayd", key, HashAlgorithmName.SHA256).CreateSigningRequest();

    public byte[] CreateRequest() => RequestFor(key);

    /// <summary>Takes a renewed certificate of the same key and node into use and onto disk.</summary>
    /// <exception cref="InvalidDataException">It is not a valid certificate of this node; the one in use stays.</exception>
    public void Renew(byte[] der, DateTimeOffset now)
    {
        X509Certificate2 renewed;
        try
        {
            renewed = X509CertificateLoader.LoadCertificate(der);
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException("The manager's renewed certificate cannot be read.", e);
        }

        using (renewed)
        {
            if (!PeerPrincipal.TryParse(renewed, out PeerPrincipal? principal) || principal.Node != Node
                || !IsOf(key, renewed))
            {
                throw new InvalidDataException("The manager's renewed certificate is not of this node's key.");
            }

            if (ChainVerifier.Fault(renewed, Root, ClusterId, needed: null, now) is { } fault)
            {
                throw new InvalidDataException($"The manager's renewed certificate is not valid ({fault}).");
            }

            DurableFile.WriteAtomically(Path.Combine(folder, CertificateFile), der);
            certificate = WithKey(renewed, key);
        }
    }

    /// <summary>Whether the certificate was made for the key.</summary>
    public static bool IsOf(ECDsa key, X509Certificate2 certificate) =>
        certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo());

    private static X509Certificate2 WithKey(X509Certificate2 bare, ECDsa key)
    {
        using X509Certificate2 joined = bare.CopyWithPrivateKey(key);
        // TLS needs a key that does not depend on this object's life.
        return X509CertificateLoader.LoadPkcs12(joined.Export(X509ContentType.Pkcs12), null);
    }
}

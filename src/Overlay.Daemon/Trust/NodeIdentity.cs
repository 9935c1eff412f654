using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Overlay.Cluster;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft.Secrecy;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>
/// This node's key, certificate and the cluster's roots, in files that only root may read. The key never leaves the
/// host; a renewal keeps it and replaces the certificate. While the cluster's root is being replaced there are two: the
/// one in force, and the next, which is believed as well.
/// </summary>
internal sealed class NodeIdentity
{
    private const string Folder = "certificates";
    private const string CertificateFile = "node.crt";
    private const string RootFile = "ca.crt";
    private const string NextRootFile = "ca-next.crt";
    private const string Pem = "CERTIFICATE";

    private readonly string folder;
    private readonly ECDsa key;
    private volatile SslStreamCertificateContext presented;
    private volatile IReadOnlyList<X509Certificate2> roots;

    private NodeIdentity(string folder, ECDsa key, Issued issued, IReadOnlyList<X509Certificate2> roots)
    {
        this.folder = folder;
        this.key = key;
        this.roots = roots;
        presented = ContextOf(issued, key);
        PeerPrincipal principal = PeerPrincipal.TryParse(presented.TargetCertificate, out PeerPrincipal? parsed)
            ? parsed
            : throw new InvalidDataException($"{Path.Combine(folder, CertificateFile)} does not name a node of a cluster.");
        Node = principal.Node;
        Role = principal.Role;
        ClusterId = principal.ClusterId;
    }

    public NodeId Node { get; }

    /// <summary>As the certificate says; a renewal may change it.</summary>
    public NodeRole Role { get; private set; }

    public string ClusterId { get; }

    /// <summary>The root in force, and behind it the one that is to follow, if one is.</summary>
    public IReadOnlyList<X509Certificate2> Roots => roots;

    /// <summary>With its private key.</summary>
    public X509Certificate2 Certificate => presented.TargetCertificate;

    /// <summary>The certificate with what is presented along with it; replaced by a renewal, so ask for it at every handshake.</summary>
    public SslStreamCertificateContext Presented => presented;

    public DateTimeOffset NotBefore => Certificate.NotBefore.ToUniversalTime();

    public DateTimeOffset NotAfter => Certificate.NotAfter.ToUniversalTime();

    /// <summary>The key of the newest root signed it.</summary>
    public bool IsOfNewestRoot =>
        Certificate.Extensions.OfType<X509AuthorityKeyIdentifierExtension>().SingleOrDefault()?.KeyIdentifier is { } issuer
        && roots[^1].Extensions.OfType<X509SubjectKeyIdentifierExtension>().SingleOrDefault() is { } newest
        && issuer.Span.SequenceEqual(newest.SubjectKeyIdentifierBytes.Span);

    /// <summary>A certificate and what is to be presented along with it, both DER.</summary>
    public sealed record Issued(byte[] Certificate, IReadOnlyList<byte[]> Intermediates);

    /// <summary>The first identity of a cluster, signed by its own root.</summary>
    public static NodeIdentity Create(
        string stateFolder, CertificateAuthority authority, NodeId node, NodeRole role, string clusterId, TimeSpan life,
        DateTimeOffset now)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Outcome<byte[]> signed = authority.SignNode(RequestFor(key), node, role, clusterId, life, now);
        Invariant.Holds(!signed.IsRefused, "our own request is signed");
        return Store(stateFolder, key, new(signed.Value, []), authority.CertificateDer);
    }

    public static NodeIdentity Store(string stateFolder, ECDsa key, Issued issued, byte[] root)
    {
        string folder = Path.Combine(stateFolder, Folder);
        Directory.CreateDirectory(folder, DurableFile.PrivateFolder);
        NodeKeyFile.Write(folder, key, keys: null);
        DurableFile.WriteAtomically(Path.Combine(folder, RootFile), root);
        File.Delete(Path.Combine(folder, NextRootFile));
        DurableFile.WriteAtomically(Path.Combine(folder, CertificateFile), FileOf(issued));
        return new(folder, key, issued, [X509CertificateLoader.LoadCertificate(root)]);
    }

    /// <param name="keys">Of the manager's disk, while it is locked; null: there are none.</param>
    /// <exception cref="InvalidDataException">A file is missing or is not what this agent wrote.</exception>
    public static NodeIdentity Load(string stateFolder, LogKeys? keys = null)
    {
        string folder = Path.Combine(stateFolder, Folder);
        try
        {
            ECDsa key = NodeKeyFile.Read(folder, keys);
            string next = Path.Combine(folder, NextRootFile);
            List<X509Certificate2> roots = [X509CertificateLoader.LoadCertificate(File.ReadAllBytes(Path.Combine(folder, RootFile)))];
            if (File.Exists(next))
            {
                roots.Add(X509CertificateLoader.LoadCertificate(File.ReadAllBytes(next)));
            }

            return new(folder, key, IssuedOf(File.ReadAllBytes(Path.Combine(folder, CertificateFile))), roots);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException
            or UnauthorizedAccessException)
        {
            throw new InvalidDataException(
                $"The node's certificate in {folder} cannot be used ({e.Message}). Restore the folder, or type `overlayd leave --force` and join again.", e);
        }
    }

    /// <summary>The data key that the node's own key is encrypted with on disk; 0: none.</summary>
    public static ulong SealedWith(string stateFolder) => NodeKeyFile.SealedWith(Path.Combine(stateFolder, Folder));

    /// <summary>The data key that this node's key is encrypted with on disk; 0: none.</summary>
    public ulong Seal => NodeKeyFile.SealedWith(folder);

    /// <summary>Encrypts the node's key on disk with a manager's data key, or with none any more. It stays the same key.</summary>
    /// <exception cref="StorageWriteException">It is on disk as it was.</exception>
    public void Protect(LogKeys? keys) => NodeKeyFile.Write(folder, key, keys);

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
    public void Renew(Issued issued, DateTimeOffset now)
    {
        X509Certificate2 renewed;
        X509Certificate2Collection along;
        try
        {
            renewed = X509CertificateLoader.LoadCertificate(issued.Certificate);
            along = Read(issued.Intermediates);
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

            if (ChainVerifier.Fault(renewed, along, roots, ClusterId, needed: null, now) is { } fault)
            {
                throw new InvalidDataException($"The manager's renewed certificate is not valid ({fault}).");
            }

            DurableFile.WriteAtomically(Path.Combine(folder, CertificateFile), FileOf(issued));
            presented = ContextOf(issued, key);
            Role = principal.Role;
        }
    }

    /// <summary>
    /// What a manager says of the cluster's roots. A root that was the next before, or follows one that is known, is
    /// believed; any other is not.
    /// </summary>
    /// <param name="inForce">DER.</param>
    /// <param name="next">DER; empty: no other is on its way.</param>
    /// <exception cref="InvalidDataException">It is not a root of this cluster that this node was told of; nothing changes.</exception>
    public void Believe(ReadOnlySpan<byte> inForce, ReadOnlySpan<byte> next)
    {
        IReadOnlyList<X509Certificate2> before = roots;
        X509Certificate2? first = null;
        foreach (X509Certificate2 known in before)
        {
            first = inForce.SequenceEqual(known.RawData) ? known : first;
        }

        if (first is null)
        {
            throw new InvalidDataException("The manager names a root that this node was never told of.");
        }

        X509Certificate2? second = next.IsEmpty ? null
            : before.Count == 2 && next.SequenceEqual(before[1].RawData) ? before[1]
            : RootOfThisCluster(next);
        if (first == before[0] && second == before.ElementAtOrDefault(1))
        {
            return;
        }

        // The file that a start reads first is written last when a root goes, and the new one first when it comes.
        string file = Path.Combine(folder, NextRootFile);
        if (second is not null)
        {
            DurableFile.WriteAtomically(file, second.RawData);
        }

        DurableFile.WriteAtomically(Path.Combine(folder, RootFile), first.RawData);
        if (second is null)
        {
            File.Delete(file);
        }

        roots = second is null ? [first] : [first, second];
    }

    /// <exception cref="CryptographicException">One of them is no certificate.</exception>
    public static X509Certificate2Collection Read(IReadOnlyList<byte[]> certificates) =>
        [.. certificates.Select(static der => X509CertificateLoader.LoadCertificate(der))];

    /// <summary>Whether the certificate was made for the key.</summary>
    public static bool IsOf(ECDsa key, X509Certificate2 certificate) =>
        certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo());

    private X509Certificate2 RootOfThisCluster(ReadOnlySpan<byte> der)
    {
        try
        {
            X509Certificate2 root = X509CertificateLoader.LoadCertificate(der);
            return PeerPrincipal.OrganizationOf(root) == ClusterId
                ? root
                : throw new InvalidDataException("The manager names a next root that is of another cluster.");
        }
        catch (CryptographicException e)
        {
            throw new InvalidDataException("The next root that the manager names cannot be read.", e);
        }
    }

    /// <summary>One certificate alone is DER, as it always was; several are PEM, the node's own first.</summary>
    private static byte[] FileOf(Issued issued) => issued.Intermediates.Count == 0
        ? issued.Certificate
        : System.Text.Encoding.ASCII.GetBytes(string.Join(
            '\n', issued.Intermediates.Prepend(issued.Certificate).Select(static der => PemEncoding.WriteString(Pem, der))) + "\n");

    private static Issued IssuedOf(byte[] file)
    {
        if (file.AsSpan().IndexOf("-----BEGIN "u8) != 0)
        {
            return new(file, []);
        }

        X509Certificate2Collection all = [];
        all.ImportFromPem(System.Text.Encoding.ASCII.GetString(file));
        return new(all[0].RawData, [.. all.Skip(1).Select(static c => c.RawData)]);
    }

    private static SslStreamCertificateContext ContextOf(Issued issued, ECDsa key)
    {
        using X509Certificate2 bare = X509CertificateLoader.LoadCertificate(issued.Certificate);
        using X509Certificate2 joined = bare.CopyWithPrivateKey(key);
        // TLS needs a key that does not depend on this object's life.
        X509Certificate2 own = X509CertificateLoader.LoadPkcs12(joined.Export(X509ContentType.Pkcs12), null);
        return SslStreamCertificateContext.Create(own, Read(issued.Intermediates), offline: true);
    }
}

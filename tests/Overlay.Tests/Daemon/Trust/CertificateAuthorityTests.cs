using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Overlay.Cluster;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

public sealed class CertificateAuthorityTests : IDisposable
{
    private const string ClusterId = "0123456789abcdef";
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly NodeId Node = new(7);

    private readonly CertificateAuthority authority = CertificateAuthority.Create(ClusterId, Now);
    private readonly ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public void Dispose()
    {
        authority.Dispose();
        key.Dispose();
    }

    [Theory]
    [InlineData(NodeRole.Worker)]
    [InlineData(NodeRole.Manager)]
    public void Signs_who_the_node_is_and_not_what_its_request_says(NodeRole role)
    {
        CertificateRequest asked = new("CN=somebody else, O=another, OU=overlayd-manager", key, HashAlgorithmName.SHA256);
        asked.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using X509Certificate2 signed = Sign(asked.CreateSigningRequest(), role);
        Assert.True(PeerPrincipal.TryParse(signed, out PeerPrincipal? principal));
        Assert.Equal(new(Node, role, ClusterId), principal);
        Assert.False(Assert.Single(signed.Extensions.OfType<X509BasicConstraintsExtension>()).CertificateAuthority);
        Assert.Equal(role == NodeRole.Manager, signed.MatchesHostname(CertificateAuthority.ManagerName));
        Assert.Equal(key.ExportSubjectPublicKeyInfo(), signed.PublicKey.ExportSubjectPublicKeyInfo());
        Assert.Null(Fault(signed, role));
    }

    [Fact]
    public void Loaded_from_the_store_it_signs_the_same_way()
    {
        using CertificateAuthority loaded = CertificateAuthority.Load(authority.CertificateDer, authority.ExportKey());
        byte[] der = loaded.SignNode(NodeIdentity.RequestFor(key), Node, NodeRole.Worker, ClusterId, TimeSpan.FromDays(1), Now).Value;
        using X509Certificate2 signed = X509CertificateLoader.LoadCertificate(der);
        Assert.Null(Fault(signed, NodeRole.Worker));
    }

    [Fact]
    public void No_flipped_bit_of_a_request_is_signed_or_throws()
    {
        byte[] request = NodeIdentity.RequestFor(key);
        for (int bit = 0; bit < request.Length * 8; bit++)
        {
            byte[] damaged = [.. request];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            Refusal? refusal = CertificateAuthority.FaultOf(damaged);
            Assert.True(refusal is not null, $"bit {bit} may not be flipped");
        }

        Assert.Null(CertificateAuthority.FaultOf(request));
    }

    [Fact]
    public void Garbage_is_refused()
    {
        Prng prng = new(1);
        byte[] request = NodeIdentity.RequestFor(key);
        for (int i = 0; i < 2000; i++)
        {
            byte[] garbage = new byte[prng.Next(400)];
            prng.Fill(garbage);
            request.AsSpan(0, Math.Min(prng.Next(40), garbage.Length)).CopyTo(garbage);
            Assert.NotNull(CertificateAuthority.FaultOf(garbage));
        }

        Assert.Contains("longer", CertificateAuthority.FaultOf(new byte[8193])!.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_keys_than_P256_are_refused()
    {
        using ECDsa large = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.Contains("P-256", CertificateAuthority.FaultOf(NodeIdentity.RequestFor(large))!.Why, StringComparison.Ordinal);
        using RSA rsa = RSA.Create(2048);
        CertificateRequest asked = new("CN=overlayd", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        Assert.Contains("P-256", CertificateAuthority.FaultOf(asked.CreateSigningRequest())!.Why, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-3600)]
    [InlineData(0)]
    [InlineData(86400 * 365 * 10)]
    public void Signs_within_the_roots_own_validity_also_when_the_clock_stepped_back(int seconds)
    {
        DateTimeOffset then = Now.AddSeconds(seconds + 1);
        using X509Certificate2 root = X509CertificateLoader.LoadCertificate(authority.CertificateDer);
        byte[] der = authority.SignNode(
            NodeIdentity.RequestFor(key), Node, NodeRole.Worker, ClusterId, TimeSpan.FromDays(90), then).Value;
        using X509Certificate2 signed = X509CertificateLoader.LoadCertificate(der);
        Assert.InRange(signed.NotBefore, root.NotBefore, then.LocalDateTime);
        Assert.InRange(signed.NotAfter, then.LocalDateTime, root.NotAfter);
    }

    [Fact]
    public void An_expired_root_signs_nothing_and_says_so()
    {
        Outcome<byte[]> signed = authority.SignNode(
            NodeIdentity.RequestFor(key), Node, NodeRole.Worker, ClusterId, TimeSpan.FromDays(90), Now.AddYears(21));
        Assert.Contains("root certificate is not valid now", signed.Refusal!.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_root_itself_signs_and_it_is_no_node()
    {
        using X509Certificate2 root = X509CertificateLoader.LoadCertificate(authority.CertificateDer);
        Assert.Equal("no certificate was presented", Fault(null, null));
        Assert.Equal("the certificate is not signed by the root itself", Fault(root, null));
        using X509Certificate2 worker = Sign(NodeIdentity.RequestFor(key), NodeRole.Worker).CopyWithPrivateKey(key);
        using ECDsa other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest child = new(
            worker.SubjectName, other, HashAlgorithmName.SHA256);
        using X509Certificate2 grandchild = child.Create(
            worker.SubjectName, X509SignatureGenerator.CreateForECDsa(key), Now.AddMinutes(-1), Now.AddHours(1), [1]);
        Assert.NotNull(Fault(grandchild, null));
    }

    [Fact]
    public void Another_root_with_the_same_names_is_another_cluster()
    {
        using CertificateAuthority twin = CertificateAuthority.Create(ClusterId, Now);
        byte[] der = twin.SignNode(NodeIdentity.RequestFor(key), Node, NodeRole.Worker, ClusterId, TimeSpan.FromDays(1), Now).Value;
        using X509Certificate2 signed = X509CertificateLoader.LoadCertificate(der);
        Assert.NotNull(Fault(signed, null));
    }

    [Fact]
    public void Without_a_cluster_id_the_roots_own_name_counts()
    {
        byte[] der = authority.SignNode(NodeIdentity.RequestFor(key), Node, NodeRole.Worker, "another", TimeSpan.FromDays(1), Now).Value;
        using X509Certificate2 signed = X509CertificateLoader.LoadCertificate(der);
        using X509Certificate2 root = X509CertificateLoader.LoadCertificate(authority.CertificateDer);
        Assert.Equal("it is of cluster another", ChainVerifier.Fault(signed, null, [root], null, null, Now));
        Assert.Null(ChainVerifier.Fault(signed, null, [root], "another", null, Now));
    }

    [Theory]
    [InlineData(-2, false)]
    [InlineData(1, true)]
    [InlineData(23, true)]
    [InlineData(25, false)]
    public void Valid_from_a_little_before_until_its_end(int hours, bool valid)
    {
        using X509Certificate2 signed = Sign(NodeIdentity.RequestFor(key), NodeRole.Worker);
        using X509Certificate2 root = X509CertificateLoader.LoadCertificate(authority.CertificateDer);
        string? fault = ChainVerifier.Fault(signed, null, [root], ClusterId, null, Now.AddHours(hours));
        Assert.Equal(valid, fault is null);
    }

    private X509Certificate2 Sign(byte[] request, NodeRole role) => X509CertificateLoader.LoadCertificate(
        authority.SignNode(request, Node, role, ClusterId, TimeSpan.FromDays(1), Now).Value);

    private string? Fault(X509Certificate2? peer, NodeRole? needed)
    {
        using X509Certificate2 root = X509CertificateLoader.LoadCertificate(authority.CertificateDer);
        return ChainVerifier.Fault(peer, null, [root], ClusterId, needed, Now);
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

public sealed class PeerPrincipalTests
{
    private static readonly string Id = new NodeId(7).ToString();

    [Fact]
    public void Reads_node_role_and_cluster()
    {
        PeerPrincipal? principal = Parse($"CN={Id}, OU=overlayd-worker, O=c1");
        Assert.Equal(new(new NodeId(7), NodeRole.Worker, "c1"), principal);
        Assert.Equal(NodeRole.Manager, Parse($"CN={Id}, OU=overlayd-manager, O=c1")!.Role);
    }

    [Theory]
    [InlineData("OU=overlayd-worker, O=c1")]
    [InlineData("CN=host7, OU=overlayd-worker, O=c1")]
    [InlineData("CN={0}, O=c1")]
    [InlineData("CN={0}, OU=overlayd-ca, O=c1")]
    [InlineData("CN={0}, OU=Overlayd-Worker, O=c1")]
    [InlineData("CN={0}, OU=overlayd-worker")]
    [InlineData("CN={0}, OU=overlayd-worker, OU=overlayd-manager, O=c1")]
    [InlineData("CN={0}, OU=overlayd-worker, O=c1, O=c2")]
    [InlineData("CN={0}+OU=overlayd-worker, O=c1")]
    public void Anything_else_is_nobody(string subject) =>
        Assert.Null(Parse(string.Format(System.Globalization.CultureInfo.InvariantCulture, subject, Id)));

    private static PeerPrincipal? Parse(string subject)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        DateTimeOffset now = DateTimeOffset.UtcNow;
        using X509Certificate2 certificate = new CertificateRequest(subject, key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(now, now.AddDays(1));
        Assert.Equal(PeerPrincipal.TryParse(certificate, out PeerPrincipal? principal), principal is not null);
        return principal;
    }
}

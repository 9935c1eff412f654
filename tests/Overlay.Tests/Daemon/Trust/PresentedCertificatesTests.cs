using System.Security.Cryptography.X509Certificates;
using Overlay.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

/// <summary>A join talks to whoever answers before it has a root to judge by; afterwards to managers alone.</summary>
public sealed class PresentedCertificatesTests : IAsyncLifetime
{
    private TrustCluster cluster = null!;

    private X509Certificate2 Manager => cluster.Manager.Certificate;

    private X509Certificate2 Root => cluster.Manager.Roots[0];

    public async ValueTask InitializeAsync() => cluster = await TrustCluster.StartAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync() => await cluster.DisposeAsync();

    [Fact]
    public void A_manager_is_believed_before_and_after_there_is_a_root()
    {
        PresentedCertificates presented = new(TimeProvider.System);
        Assert.Null(presented.Fault(Manager, null));
        Assert.Null(presented.Pin(Root));
        Assert.Null(presented.Fault(Manager, null));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void One_foreign_connection_among_good_ones_is_enough(bool first)
    {
        using X509Certificate2 worker = new(cluster.Identity(cluster.Authority, new(7), NodeRole.Worker).Certificate);
        PresentedCertificates presented = new(TimeProvider.System);
        foreach (X509Certificate2 peer in first ? (X509Certificate2[])[worker, Manager] : [Manager, worker])
        {
            Assert.Null(presented.Fault(peer, null));
        }

        Assert.Equal("its role is worker", presented.Pin(Root));
    }

    [Fact]
    public void A_connection_made_anew_is_judged_by_the_root()
    {
        using CertificateAuthority twin = CertificateAuthority.Create(TrustCluster.ClusterId, DateTimeOffset.UtcNow.AddDays(-1));
        PresentedCertificates presented = new(TimeProvider.System);
        Assert.Null(presented.Fault(Manager, null));
        Assert.Null(presented.Pin(Root));
        Assert.NotNull(presented.Fault(cluster.Identity(twin, new(3), NodeRole.Manager).Certificate, null));
        Assert.Equal("no certificate was presented", presented.Fault(null, null));
    }

    [Fact]
    public void A_server_without_a_certificate_is_none()
    {
        PresentedCertificates presented = new(TimeProvider.System);
        Assert.Null(presented.Fault(null, null));
        Assert.Equal("no certificate was presented", presented.Pin(Root));
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Cluster;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

/// <summary>Two roots at once: who believes what, by certificates alone and by real handshakes with the real manager.</summary>
public sealed class CaRotationTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;
    private static readonly NodeId Node = new(7);

    private readonly TemporaryFolder folder = new();
    private readonly CertificateAuthority next = CertificateAuthority.Create(TrustCluster.ClusterId, Now);
    private TrustCluster cluster = null!;
    private byte[] cross = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        cluster = await TrustCluster.StartAsync(Cancelled);
        cross = cluster.Authority.CrossSign(next);
    }

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        next.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void What_the_new_root_signs_is_believed_by_the_old_one_with_the_cross_certificate_only()
    {
        using X509Certificate2 leaf = Signed(next);
        Assert.Null(Fault(leaf, [cross], cluster.Authority));
        Assert.NotNull(Fault(leaf, [], cluster.Authority));
        Assert.Null(Fault(leaf, [], next));
        Assert.Null(Fault(leaf, [cross], next));
        Assert.Null(Fault(leaf, [cross], cluster.Authority, next));
        using X509Certificate2 older = Signed(cluster.Authority);
        Assert.Null(Fault(older, [], cluster.Authority, next));
        Assert.NotNull(Fault(older, [cross], next));
    }

    [Fact]
    public void A_cross_certificate_of_another_cluster_or_of_a_node_changes_nothing()
    {
        using CertificateAuthority twin = CertificateAuthority.Create(TrustCluster.ClusterId, Now);
        using X509Certificate2 leaf = Signed(next);
        Assert.NotNull(Fault(leaf, [twin.CrossSign(next)], cluster.Authority));

        // A node that makes itself an authority: its certificate says that it is none.
        NodeIdentity worker = cluster.Worker();
        using ECDsa workerKey = worker.Certificate.GetECDsaPrivateKey()!;
        CertificateRequest forged = new(leaf.SubjectName, leaf.GetECDsaPublicKey()!, HashAlgorithmName.SHA256);
        using X509Certificate2 child = forged.Create(
            worker.Certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(workerKey), Now.AddMinutes(-1), Now.AddHours(1), [1]);
        Assert.NotNull(Fault(child, [worker.Certificate.RawData], cluster.Authority));
        Assert.NotNull(Fault(leaf, [.. Enumerable.Repeat(cross, 5)], cluster.Authority));
    }

    [Fact]
    public async Task A_node_with_the_new_roots_certificate_is_served_by_a_manager_of_the_old_one()
    {
        NodeIdentity joined = (await cluster.JoinAsync(cluster.WorkerToken, Cancelled)).Value;
        byte[] leaf = next.SignNode(
            joined.CreateRequest(), joined.Node, NodeRole.Worker, TrustCluster.ClusterId, TimeSpan.FromDays(1), Now).Value;
        joined.Renew(new(leaf, [cross]), Now);
        await SessionOpensAsync(joined);

        // Without the cross certificate the manager cannot know it.
        joined.Believe(cluster.Authority.CertificateDer, next.CertificateDer);
        joined.Renew(new(leaf, []), Now);
        await Assert.ThrowsAsync<RpcException>(() => SessionOpensAsync(joined));
    }

    [Fact]
    public async Task While_the_root_is_replaced_the_new_key_signs_and_the_manager_knows_who_came_with_it()
    {
        NodeIdentity joined = (await cluster.JoinAsync(cluster.WorkerToken, Cancelled)).Value;
        await SessionOpensAsync(joined);
        await BeginAsync();
        Assert.Equal(2, CaProgress.Of(cluster.Loop.State)!.Missing.Length);
        using (GrpcChannel channel = cluster.Call(joined))
        {
            RenewCertificateResponse renewed = await new V1.Agent.AgentClient(channel).RenewCertificateAsync(
                new() { CertificateRequest = ByteString.CopyFrom(joined.CreateRequest()) }, cancellationToken: Cancelled);
            Assert.Equal(cross, Assert.Single(renewed.Intermediates).ToByteArray());
            joined.Believe(cluster.Authority.CertificateDer, next.CertificateDer);
            Assert.False(joined.IsOfNewestRoot);
            joined.Renew(new(renewed.Certificate.ToByteArray(), [cross]), Now);
            Assert.True(joined.IsOfNewestRoot);
        }

        await SessionOpensAsync(joined);
        Assert.Equal("host1", Assert.Single(CaProgress.Of(cluster.Loop.State)!.Missing).Hostname);
        Assert.Empty(cluster.Logs.Warnings);
    }

    [Fact]
    public async Task A_machine_joins_meanwhile_with_the_old_roots_token()
    {
        await BeginAsync();
        byte[] own = next.SignNode(
            cluster.Manager.CreateRequest(), cluster.Manager.Node, NodeRole.Manager, TrustCluster.ClusterId, TimeSpan.FromDays(1), Now).Value;
        cluster.Manager.Renew(new(own, [cross]), Now);
        Outcome<NodeIdentity> joined = await cluster.JoinAsync(cluster.WorkerToken, Cancelled);
        Assert.False(joined.IsRefused, joined.Refusal?.ToString());
        await SessionOpensAsync(joined.Value);
        cluster.NoSecretIsTold();
    }

    [Fact]
    public void Both_roots_and_what_is_presented_survive_a_restart_and_the_old_one_goes()
    {
        NodeIdentity made = NodeIdentity.Create(
            folder.Path, cluster.Authority, Node, NodeRole.Worker, TrustCluster.ClusterId, TimeSpan.FromDays(1), Now);
        Assert.Throws<InvalidDataException>(() => made.Believe(next.CertificateDer, []));
        made.Believe(cluster.Authority.CertificateDer, next.CertificateDer);
        byte[] leaf = next.SignNode(
            made.CreateRequest(), Node, NodeRole.Worker, TrustCluster.ClusterId, TimeSpan.FromDays(1), Now).Value;
        made.Renew(new(leaf, [cross]), Now);

        NodeIdentity loaded = NodeIdentity.Load(folder.Path);
        Assert.Equal([cluster.Authority.CertificateDer, next.CertificateDer], loaded.Roots.Select(static r => r.RawData));
        Assert.Equal(leaf, loaded.Certificate.RawData);
        Assert.Equal(cross, Assert.Single(loaded.Presented.IntermediateCertificates).RawData);

        loaded.Believe(next.CertificateDer, []);
        Assert.Equal(next.CertificateDer, Assert.Single(NodeIdentity.Load(folder.Path).Roots).RawData);
        Assert.Throws<InvalidDataException>(() => loaded.Believe(cluster.Authority.CertificateDer, []));
        using CertificateAuthority foreign = CertificateAuthority.Create("another", Now);
        Assert.Throws<InvalidDataException>(() => loaded.Believe(next.CertificateDer, foreign.CertificateDer));
        Assert.Throws<InvalidDataException>(() => loaded.Believe(next.CertificateDer, [1, 2, 3]));
        Assert.Single(loaded.Roots);
    }

    private static string? Fault(X509Certificate2 leaf, byte[][] along, params CertificateAuthority[] roots) => ChainVerifier.Fault(
        leaf, NodeIdentity.Read(along), [.. roots.Select(static r => X509CertificateLoader.LoadCertificate(r.CertificateDer))],
        TrustCluster.ClusterId, null, Now);

    private static X509Certificate2 Signed(CertificateAuthority authority)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return X509CertificateLoader.LoadCertificate(authority.SignNode(
            NodeIdentity.RequestFor(key), Node, NodeRole.Worker, TrustCluster.ClusterId, TimeSpan.FromDays(1), Now).Value);
    }

    private async Task BeginAsync()
    {
        Outcome<ClusterObject> begun = await cluster.Loop.ProposeAsync(
            intent => intent.BeginCaRotation(next.CertificateDer, next.ExportKey(), cross), "", Cancelled);
        Assert.False(begun.IsRefused, begun.Refusal?.ToString());
    }

    private async Task SessionOpensAsync(NodeIdentity node)
    {
        using GrpcChannel channel = cluster.Call(node);
        using AsyncDuplexStreamingCall<SessionRequest, Assignment> session =
            new V1.Agent.AgentClient(channel).Session(cancellationToken: Cancelled);
        await session.RequestStream.WriteAsync(new() { Description = TrustCluster.Description() }, Cancelled);
        Assert.True(await session.ResponseStream.MoveNext(Cancelled));
    }
}

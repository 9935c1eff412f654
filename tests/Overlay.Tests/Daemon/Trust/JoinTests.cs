using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

/// <summary>Joining with a token, by real handshakes; and everything that must not be a way in.</summary>
public sealed class JoinTests : IAsyncLifetime
{
    private TrustCluster cluster = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => cluster = await TrustCluster.StartAsync(Cancelled);

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task A_worker_joins_opens_a_session_and_renews()
    {
        NodeIdentity worker = (await cluster.JoinAsync(cluster.WorkerToken, Cancelled)).Value;
        Assert.Equal((NodeRole.Worker, TrustCluster.ClusterId), (worker.Role, worker.ClusterId));
        Assert.NotNull(cluster.Loop.State.Node(worker.Node.ToString()));
        byte[] first = worker.Certificate.RawData;
        using (GrpcChannel channel = ManagerEndpoint.Open(cluster.Address, worker, TimeProvider.System))
        {
            await OpenSessionAsync(channel);
            RenewCertificateResponse renewed = await new V1.Agent.AgentClient(channel).RenewCertificateAsync(
                new() { CertificateRequest = ByteString.CopyFrom(worker.CreateRequest()) }, cancellationToken: Cancelled);
            worker.Renew(new(renewed.Certificate.ToByteArray(), []), DateTimeOffset.UtcNow);
        }

        Assert.NotEqual(first, worker.Certificate.RawData);
        using GrpcChannel again = ManagerEndpoint.Open(cluster.Address, worker, TimeProvider.System);
        await OpenSessionAsync(again);
        Assert.Empty(cluster.Logs.Warnings);
        cluster.NoSecretIsTold();
    }

    [Fact]
    public async Task A_wrong_secret_is_refused()
    {
        string token = JoinToken.For(cluster.Authority.CertificateDer, RandomNumberGenerator.GetBytes(16)).Format();
        Refused(await cluster.JoinAsync(token, Cancelled), RefusalKind.NotPermitted, "The token's secret is not this cluster's");
        cluster.ToldOnce("/overlay.v1.Bootstrap/IssueCertificate", "The token's secret is not this cluster's");
        Assert.DoesNotContain(token.Split('-')[^1], cluster.Logs.Warnings[0], StringComparison.Ordinal);
        Assert.Single(cluster.Loop.State.Nodes);
    }

    [Fact]
    public async Task A_rotated_token_is_refused_and_the_new_one_works()
    {
        string old = cluster.WorkerToken;
        byte[] secret = RandomNumberGenerator.GetBytes(16);
        await cluster.Loop.ProposeAsync(intent => intent.RotateSecret(NodeRole.Worker, secret), "", Cancelled);
        Refused(await cluster.JoinAsync(old, Cancelled), RefusalKind.NotPermitted, "it may have been rotated");
        cluster.ToldOnce("it may have been rotated");
        string fresh = JoinToken.For(cluster.Authority.CertificateDer, secret).Format();
        Assert.False((await cluster.JoinAsync(fresh, Cancelled)).IsRefused);
    }

    [Fact]
    public async Task A_manager_token_makes_a_manager_that_does_not_vote_yet()
    {
        Outcome<NodeIdentity> joined = await cluster.JoinAsync(cluster.ManagerToken, Cancelled);
        Assert.False(joined.IsRefused, joined.Refusal?.ToString());
        Assert.Equal(NodeRole.Manager, joined.Value.Role);
        NodeObject node = cluster.Loop.State.Node(joined.Value.Node.ToString())!;
        Assert.Equal((NodeRole.Manager, 0UL), (node.Role, node.MemberId));
        Assert.Single(cluster.Loop.Engine.Configuration.Members);
    }

    [Fact]
    public async Task A_challenge_is_good_once()
    {
        using GrpcChannel channel = cluster.Call(null);
        IssueCertificateRequest request = await ProvenAsync(channel);
        Bootstrap.BootstrapClient client = new(channel);
        Assert.Equal(NodeRole.Worker, (await client.IssueCertificateAsync(request, cancellationToken: Cancelled)).Role);
        RpcException replayed = await IssueRefusedAsync(client, request);
        Assert.Equal(StatusCode.PermissionDenied, replayed.StatusCode);
        cluster.ToldOnce("The challenge was used before or is too old");
        Assert.Equal(2, cluster.Loop.State.Nodes.Count());
    }

    [Fact]
    public async Task However_many_strangers_ask_for_a_challenge_who_has_a_token_joins()
    {
        using GrpcChannel stranger = cluster.Call(null);
        Bootstrap.BootstrapClient client = new(stranger);
        IssueCertificateRequest early = await ProvenAsync(stranger);
        for (int round = 0; round < 20; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 100).Select(
                _ => client.GetRootCertificateAsync(new(), cancellationToken: Cancelled).ResponseAsync));
        }

        Outcome<NodeIdentity> joined = await cluster.JoinAsync(cluster.WorkerToken, Cancelled);
        Assert.False(joined.IsRefused, joined.Refusal?.ToString());
        early.Description = TrustCluster.Description(8);
        Assert.Equal(NodeRole.Worker, (await client.IssueCertificateAsync(early, cancellationToken: Cancelled)).Role);
        Assert.Empty(cluster.Logs.Warnings);
    }

    [Fact]
    public async Task A_wrong_proof_does_not_use_the_challenge_up_for_who_got_it()
    {
        using GrpcChannel channel = cluster.Call(null);
        Bootstrap.BootstrapClient client = new(channel);
        IssueCertificateRequest request = await ProvenAsync(channel);
        IssueCertificateRequest wrong = request.Clone();
        wrong.Proof = ByteString.CopyFrom(new byte[32]);
        await IssueRefusedAsync(client, wrong);
        Assert.Equal(NodeRole.Worker, (await client.IssueCertificateAsync(request, cancellationToken: Cancelled)).Role);
    }

    [Fact]
    public async Task One_request_many_times_at_once_makes_one_node()
    {
        using GrpcChannel channel = cluster.Call(null);
        Bootstrap.BootstrapClient client = new(channel);
        IssueCertificateRequest request = await ProvenAsync(channel);
        int served = 0;
        await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ =>
        {
            try
            {
                await client.IssueCertificateAsync(request, cancellationToken: Cancelled);
                Interlocked.Increment(ref served);
            }
            catch (RpcException e)
            {
                Assert.Equal(StatusCode.PermissionDenied, e.StatusCode);
            }
        }));
        Assert.Equal(1, served);
        Assert.Equal(2, cluster.Loop.State.Nodes.Count());
    }

    [Fact]
    public async Task A_proof_is_good_for_its_own_request_only()
    {
        using GrpcChannel channel = cluster.Call(null);
        IssueCertificateRequest request = await ProvenAsync(channel);
        using ECDsa other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        request.CertificateRequest = ByteString.CopyFrom(NodeIdentity.RequestFor(other));
        RpcException refused = await IssueRefusedAsync(new(channel), request);
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
        cluster.ToldOnce("The token's secret is not this cluster's");
    }

    [Fact]
    public async Task A_request_that_cannot_be_signed_leaves_no_node_behind()
    {
        using GrpcChannel channel = cluster.Call(null);
        RpcException refused = await IssueRefusedAsync(new(channel), await ProvenAsync(channel, "not a certificate request"u8.ToArray()));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        cluster.ToldOnce("It is not a PKCS#10 request with a valid signature");
        Assert.Single(cluster.Loop.State.Nodes);
    }

    [Fact]
    public async Task A_node_that_does_not_describe_itself_is_refused()
    {
        using GrpcChannel channel = cluster.Call(null);
        IssueCertificateRequest request = await ProvenAsync(channel);
        request.Description = null;
        RpcException refused = await IssueRefusedAsync(new(channel), request);
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        cluster.ToldOnce("The request does not describe the node");
    }

    [Fact]
    public async Task Another_root_than_the_tokens_is_distrusted_and_told_nothing()
    {
        using CertificateAuthority twin = CertificateAuthority.Create(TrustCluster.ClusterId, DateTimeOffset.UtcNow.AddDays(-1));
        await using Impostor impostor = await Impostor.StartAsync(
            cluster.Identity(twin, new(3), NodeRole.Manager), twin.CertificateDer, cluster.Logs, Cancelled);
        Refused(
            await cluster.JoinAsync(cluster.WorkerToken, Cancelled, impostor.Address), RefusalKind.NotPermitted,
            "its root certificate is not the one the token was made for");
        Assert.Equal(0, impostor.Proofs);
    }

    [Fact]
    public async Task The_right_root_before_a_foreign_certificate_is_distrusted()
    {
        using CertificateAuthority twin = CertificateAuthority.Create(TrustCluster.ClusterId, DateTimeOffset.UtcNow.AddDays(-1));
        await using Impostor impostor = await Impostor.StartAsync(
            cluster.Identity(twin, new(3), NodeRole.Manager), cluster.Authority.CertificateDer, cluster.Logs, Cancelled);
        Refused(
            await cluster.JoinAsync(cluster.WorkerToken, Cancelled, impostor.Address), RefusalKind.NotPermitted,
            "its certificate does not come from the cluster's root");
        Assert.Equal(0, impostor.Proofs);
    }

    [Theory]
    [InlineData(NodeRole.Worker, TrustCluster.ClusterId, 0, "its role is worker")]
    [InlineData(NodeRole.Manager, "fedcba9876543210", 0, "it is of cluster fedcba9876543210")]
    [InlineData(NodeRole.Manager, TrustCluster.ClusterId, 2, "NotTimeValid")]
    public async Task A_server_that_is_no_manager_of_the_cluster_now_is_distrusted(
        NodeRole role, string clusterId, int daysAgo, string reason)
    {
        await using Impostor impostor = await Impostor.StartAsync(
            cluster.Identity(cluster.Authority, new(3), role, clusterId, daysAgo), cluster.Authority.CertificateDer, cluster.Logs,
            Cancelled);
        Refused(await cluster.JoinAsync(cluster.WorkerToken, Cancelled, impostor.Address), RefusalKind.NotPermitted, reason);
        Assert.Equal(0, impostor.Proofs);
        using GrpcChannel member = ManagerEndpoint.Open(impostor.Address, cluster.Worker(), TimeProvider.System);
        RpcException distrusted = await Assert.ThrowsAsync<RpcException>(async () =>
            await new V1.Agent.AgentClient(member).RenewCertificateAsync(new(), cancellationToken: Cancelled));
        Assert.Equal(StatusCode.Unavailable, distrusted.StatusCode);
        Assert.Contains($"{impostor.Address} is not trusted: {reason}", distrusted.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_manager_that_is_not_there_is_unavailable_and_the_next_one_is_tried()
    {
        Refused(await cluster.JoinAsync(cluster.WorkerToken, Cancelled, "127.0.0.1:1"), RefusalKind.Unavailable, "not reachable");
        using TemporaryFolder folder = new();
        Outcome<NodeIdentity> joined = await BootstrapClient.JoinAsync(
            cluster.WorkerToken, ["127.0.0.1:1", cluster.Address], TrustCluster.Description(), folder.Path, TimeProvider.System, Cancelled);
        Assert.False(joined.IsRefused, joined.Refusal?.ToString());
    }

    [Theory]
    [InlineData("not an address")]
    [InlineData("127.0.0.1:99999")]
    [InlineData("")]
    public async Task What_is_no_address_is_refused_with_what_to_type(string address) =>
        Refused(await cluster.JoinAsync(cluster.WorkerToken, Cancelled, address), RefusalKind.Invalid, "is not an address of a manager");

    [Fact]
    public async Task A_damaged_token_reaches_nobody()
    {
        Refused(await cluster.JoinAsync(cluster.WorkerToken[..^1], Cancelled), RefusalKind.Invalid, "Its fourth part");
        Assert.Empty(cluster.Logs.Warnings);
    }

    private static void Refused(Outcome<NodeIdentity> outcome, RefusalKind kind, string why)
    {
        Refusal refusal = Assert.IsType<Refusal>(outcome.Refusal);
        Assert.Contains(why, refusal.Why, StringComparison.Ordinal);
        Assert.Equal(kind, refusal.Kind);
        Assert.NotEmpty(refusal.Next);
    }

    private static async Task OpenSessionAsync(GrpcChannel channel)
    {
        using AsyncDuplexStreamingCall<SessionRequest, Assignment> session =
            new V1.Agent.AgentClient(channel).Session(cancellationToken: Cancelled);
        await session.RequestStream.WriteAsync(new() { Description = TrustCluster.Description() }, Cancelled);
        Assert.True(await session.ResponseStream.MoveNext(Cancelled));
        Assert.NotNull(session.ResponseStream.Current.Cluster);
    }

    /// <summary>A request with a fresh challenge and a valid proof of the worker secret.</summary>
    private async Task<IssueCertificateRequest> ProvenAsync(GrpcChannel channel, byte[]? certificateRequest = null)
    {
        GetRootCertificateResponse offered = await new Bootstrap.BootstrapClient(channel).GetRootCertificateAsync(
            new(), cancellationToken: Cancelled);
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        certificateRequest ??= NodeIdentity.RequestFor(key);
        byte[] proof = JoinProof.Compute(
            JoinToken.Parse(cluster.WorkerToken).Value.Secret, offered.Challenge.Span, certificateRequest);
        return new()
        {
            Challenge = offered.Challenge,
            Proof = ByteString.CopyFrom(proof),
            CertificateRequest = ByteString.CopyFrom(certificateRequest),
            Description = TrustCluster.Description(),
        };
    }

    private static Task<RpcException> IssueRefusedAsync(Bootstrap.BootstrapClient client, IssueCertificateRequest request) =>
        Assert.ThrowsAsync<RpcException>(async () => await client.IssueCertificateAsync(request, cancellationToken: Cancelled));
}

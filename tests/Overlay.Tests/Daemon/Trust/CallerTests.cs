using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

/// <summary>Who may call what, by real handshakes with the real manager.</summary>
public sealed class CallerTests : IAsyncLifetime
{
    private const string NoManager = "the caller is no manager of this cluster (any more)";

    private TrustCluster cluster = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => cluster = await TrustCluster.StartAsync(Cancelled);

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    [Fact]
    public async Task A_manager_lists_nodes_and_watches()
    {
        using GrpcChannel channel = cluster.Call(cluster.Manager);
        Control.ControlClient control = new(channel);
        ListNodeObjectsResponse nodes = await control.ListNodesAsync(new(), cancellationToken: Cancelled);
        Assert.Equal(TrustCluster.ManagerNode.ToString(), Assert.Single(nodes.Nodes).Id);
        using AsyncServerStreamingCall<WatchResponse> watch = control.Watch(new(), cancellationToken: Cancelled);
        Assert.True(await watch.ResponseStream.MoveNext(Cancelled));
        ClusterObject shown = watch.ResponseStream.Current.Actions.Select(static a => a.Create?.Cluster).First(static c => c is not null)!;
        Assert.True(shown.CaKey.IsEmpty && shown.WorkerSecret.IsEmpty && shown.ManagerSecret.IsEmpty && shown.GossipKeys.Count == 0);
        Assert.Empty(cluster.Logs.Warnings);
    }

    [Fact]
    public async Task Without_a_certificate_only_bootstrap_answers()
    {
        using GrpcChannel channel = cluster.Call(null);
        RpcException refused = await ListRefusedAsync(channel);
        Assert.Equal(StatusCode.Unauthenticated, refused.StatusCode);
        Assert.Equal("a certificate of this cluster is needed", refused.Status.Detail);
        cluster.ToldOnce("/overlay.v1.Control/ListNodes", "127.0.0.1:", "a certificate of this cluster is needed");
        GetRootCertificateResponse root = await new Bootstrap.BootstrapClient(channel).GetRootCertificateAsync(
            new(), cancellationToken: Cancelled);
        Assert.Equal(cluster.Authority.CertificateDer, root.CaCertificate.ToByteArray());
    }

    [Fact]
    public async Task A_streaming_call_without_a_certificate_is_unauthenticated_too()
    {
        using GrpcChannel channel = cluster.Call(null);
        using AsyncDuplexStreamingCall<SessionRequest, Assignment> session =
            new V1.Agent.AgentClient(channel).Session(cancellationToken: Cancelled);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => session.ResponseStream.MoveNext(Cancelled));
        Assert.Equal(StatusCode.Unauthenticated, refused.StatusCode);
        cluster.ToldOnce("/overlay.v1.Agent/Session");
    }

    [Fact]
    public async Task A_worker_may_not_call_control()
    {
        using GrpcChannel channel = cluster.Call(cluster.Worker());
        RpcException refused = await ListRefusedAsync(channel);
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
        Assert.Equal("a worker may not call it", refused.Status.Detail);
        cluster.ToldOnce("/overlay.v1.Control/ListNodes", "a worker may not call it");
    }

    [Fact]
    public async Task A_manager_by_its_certificate_alone_is_none_any_more()
    {
        using GrpcChannel channel = cluster.Call(cluster.Identity(cluster.Authority, new(9), NodeRole.Manager));
        RpcException refused = await ListRefusedAsync(channel);
        Assert.Equal((StatusCode.PermissionDenied, NoManager), (refused.StatusCode, refused.Status.Detail));
        cluster.ToldOnce("/overlay.v1.Control/ListNodes", "no manager of this cluster");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nobody_but_a_manager_speaks_for_another_node(bool withManagersCertificate)
    {
        NodeIdentity caller = withManagersCertificate
            ? cluster.Identity(cluster.Authority, new(9), NodeRole.Manager)
            : cluster.Worker();
        using GrpcChannel channel = cluster.Call(caller);
        RpcException refused = await ReleaseForAsync(channel, TrustCluster.ManagerNode.ToString());
        Assert.Equal((StatusCode.PermissionDenied, NoManager), (refused.StatusCode, refused.Status.Detail));
    }

    [Theory]
    [InlineData("nobody", StatusCode.InvalidArgument, "cannot be read")]
    [InlineData(null, StatusCode.PermissionDenied, "it was removed from the cluster")]
    public async Task A_manager_speaks_for_nodes_that_there_are(string? node, StatusCode code, string words)
    {
        using GrpcChannel channel = cluster.Call(cluster.Manager);
        RpcException refused = await ReleaseForAsync(channel, node ?? new NodeId(77).ToString());
        Assert.Equal(code, refused.StatusCode);
        Assert.Contains(words, refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_the_operators_calls_managers_may_make_those_that_go_to_the_leader_and_workers_none()
    {
        using GrpcChannel channel = cluster.Call(cluster.Worker());
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
            await new V1.Admin.AdminClient(channel).RotateTokenAsync(new(), cancellationToken: Cancelled));
        Assert.Equal((StatusCode.PermissionDenied, "a worker may not call it"), (refused.StatusCode, refused.Status.Detail));
        using GrpcChannel managers = cluster.Call(cluster.Manager);
        refused = await Assert.ThrowsAsync<RpcException>(async () =>
            await new V1.Admin.AdminClient(managers).ShowTokenAsync(new(), cancellationToken: Cancelled));
        Assert.Equal(StatusCode.Unimplemented, refused.StatusCode);
    }

    [Fact]
    public async Task A_worker_that_the_store_does_not_know_is_not_served()
    {
        using GrpcChannel channel = cluster.Call(cluster.Worker());
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
            await new V1.Agent.AgentClient(channel).RenewCertificateAsync(new(), cancellationToken: Cancelled));
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
        Assert.Contains("it was removed from the cluster", refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_unknown_method_is_unimplemented_and_its_name_begins_no_line_of_the_log()
    {
        using GrpcChannel channel = cluster.Call(cluster.Manager);
        Method<ListNodeObjectsRequest, ListNodeObjectsResponse> unknown = new(
            MethodType.Unary, "overlay.v1.Control", "Reset%0Afaked line" + new string('x', 400),
            Marshallers.Create<ListNodeObjectsRequest>(static _ => [], static _ => new()),
            Marshallers.Create<ListNodeObjectsResponse>(static _ => [], static _ => new()));
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
            await channel.CreateCallInvoker().AsyncUnaryCall(unknown, null, new(cancellationToken: Cancelled), new()));
        Assert.Equal(StatusCode.Unimplemented, refused.StatusCode);
        cluster.ToldOnce("/overlay.v1.Control/Reset?faked");
        Assert.DoesNotContain('\n', cluster.Logs.Warnings[0]);
        Assert.InRange(cluster.Logs.Warnings[0].Length, 100, 300);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_with_the_same_names_ends_the_handshake()
    {
        using CertificateAuthority twin = CertificateAuthority.Create(TrustCluster.ClusterId, DateTimeOffset.UtcNow.AddDays(-1));
        await HandshakeRefusedAsync(cluster.Identity(twin, TrustCluster.ManagerNode, NodeRole.Manager), "PartialChain");
    }

    [Fact]
    public async Task A_certificate_of_another_cluster_ends_the_handshake()
    {
        using CertificateAuthority foreign = CertificateAuthority.Create("fedcba9876543210", DateTimeOffset.UtcNow.AddDays(-1));
        await HandshakeRefusedAsync(
            cluster.Identity(foreign, TrustCluster.ManagerNode, NodeRole.Manager, "fedcba9876543210"), "PartialChain");
    }

    [Fact]
    public Task A_certificate_that_names_another_cluster_ends_the_handshake() => HandshakeRefusedAsync(
        cluster.Identity(cluster.Authority, TrustCluster.ManagerNode, NodeRole.Manager, "fedcba9876543210"),
        "it is of cluster fedcba9876543210");

    [Fact]
    public async Task An_expired_certificate_is_renewed_and_serves_for_nothing_else()
    {
        NodeIdentity expired = cluster.Identity(cluster.Authority, TrustCluster.ManagerNode, NodeRole.Manager, daysAgo: 2);
        using GrpcChannel channel = cluster.Call(expired);
        RpcException refused = await ListRefusedAsync(channel);
        Assert.Equal((StatusCode.Unauthenticated, "the certificate has expired"), (refused.StatusCode, refused.Status.Detail));
        cluster.ToldOnce("/overlay.v1.Control/ListNodes", "the certificate has expired");
        RenewCertificateResponse renewed = await new V1.Agent.AgentClient(channel).RenewCertificateAsync(
            new() { CertificateRequest = Google.Protobuf.ByteString.CopyFrom(expired.CreateRequest()) }, cancellationToken: Cancelled);
        expired.Renew(new(renewed.Certificate.ToByteArray(), []), DateTimeOffset.UtcNow);
        using GrpcChannel after = cluster.Call(expired);
        Assert.Single((await new Control.ControlClient(after).ListNodesAsync(new(), cancellationToken: Cancelled)).Nodes);
    }

    [Fact]
    public async Task An_expired_certificate_of_a_node_that_was_removed_is_not_renewed()
    {
        NodeIdentity expired = cluster.Identity(cluster.Authority, new(9), NodeRole.Worker, daysAgo: 2);
        using GrpcChannel channel = cluster.Call(expired);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
            await new V1.Agent.AgentClient(channel).RenewCertificateAsync(
                new() { CertificateRequest = Google.Protobuf.ByteString.CopyFrom(expired.CreateRequest()) }, cancellationToken: Cancelled));
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
    }

    [Fact]
    public async Task A_refusal_counts_and_others_go_on()
    {
        using (GrpcChannel foreign = cluster.Call(cluster.Identity(
            cluster.Authority, new NodeId(5), NodeRole.Manager, "fedcba9876543210")))
        {
            await ListRefusedAsync(foreign);
        }

        using GrpcChannel good = cluster.Call(cluster.Manager);
        Assert.Single((await new Control.ControlClient(good).ListNodesAsync(new(), cancellationToken: Cancelled)).Nodes);
    }

    [Fact]
    public async Task A_flood_of_refused_calls_is_counted_and_told_a_few_times()
    {
        using GrpcChannel stranger = cluster.Call(null);
        for (int i = 0; i < 300; i++)
        {
            await ListRefusedAsync(stranger);
        }

        Assert.Equal(RefusalLog.MaxOfReason, cluster.Logs.Warnings.Count);
        await cluster.StopServerAsync();
        Assert.Equal("Refused 295 more without a line for each: 295 of 127.0.0.1", cluster.Logs.Warnings[^1]);
    }

    [Fact]
    public async Task Streams_end_with_the_manager()
    {
        using GrpcChannel channel = cluster.Call(cluster.Manager);
        using AsyncServerStreamingCall<WatchResponse> watch =
            new Control.ControlClient(channel).Watch(new(), cancellationToken: Cancelled);
        Assert.True(await watch.ResponseStream.MoveNext(Cancelled));
        using AsyncDuplexStreamingCall<SessionRequest, Assignment> session =
            new V1.Agent.AgentClient(channel).Session(cancellationToken: Cancelled);
        NodeDescription description = TrustCluster.Description(1);
        description.ControlAddress = "127.0.0.1:2377";
        await session.RequestStream.WriteAsync(new() { Description = description }, Cancelled);
        Assert.True(await session.ResponseStream.MoveNext(Cancelled));

        await cluster.StopServerAsync();
        // Not by a broken connection: each is told.
        RpcException ended = await Assert.ThrowsAsync<RpcException>(async () =>
        {
            while (await watch.ResponseStream.MoveNext(Cancelled))
            {
                // The session before this changed the store.
            }
        });
        Assert.Contains("This manager stops", ended.Status.Detail, StringComparison.Ordinal);
        while (await session.ResponseStream.MoveNext(Cancelled))
        {
            // What was on its way.
        }

        Assert.Equal(StatusCode.OK, session.GetStatus().StatusCode);
        Assert.Empty(cluster.Logs.Warnings);
    }

    private async Task HandshakeRefusedAsync(NodeIdentity identity, string reason)
    {
        using GrpcChannel channel = cluster.Call(identity);
        RpcException refused = await ListRefusedAsync(channel);
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        cluster.ToldOnce("Refused the certificate of 127.0.0.1:", reason);
    }

    private static Task<RpcException> ReleaseForAsync(GrpcChannel channel, string node) => Assert.ThrowsAsync<RpcException>(async () =>
        await new V1.Agent.AgentClient(channel).ReleaseAddressAsync(
            new() { NetworkId = "n", Address = "10.0.0.1" }, new Metadata { { Overlay.Daemon.Manager.LeaderProxy.Caller, node } },
            cancellationToken: Cancelled));

    private static async Task<RpcException> ListRefusedAsync(GrpcChannel channel) =>
        await Assert.ThrowsAsync<RpcException>(async () =>
            await new Control.ControlClient(channel).ListNodesAsync(new(), cancellationToken: Cancelled));
}

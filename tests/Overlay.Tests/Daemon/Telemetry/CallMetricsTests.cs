using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Daemon.Telemetry;
using Overlay.Tests.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Telemetry;

/// <summary>gRPC calls in numbers, on both sides of a real connection to a real manager.</summary>
public sealed class CallMetricsTests : IAsyncLifetime
{
    private readonly Instruments ours = new();
    private TrustCluster cluster = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => cluster = await TrustCluster.StartAsync(Cancelled);

    public async ValueTask DisposeAsync()
    {
        await cluster.DisposeAsync();
        ours.Dispose();
    }

    [Fact]
    public async Task Calls_are_counted_by_method_and_code_and_unary_ones_are_timed()
    {
        using PrometheusText client = new(m => ReferenceEquals(m, ours.Meter));
        using PrometheusText server = new(m => ReferenceEquals(m, cluster.Instruments.Meter));
        using (GrpcChannel channel = cluster.Call(cluster.Manager))
        {
            MeasuredCalls calls = new(channel.CreateCallInvoker(), ours);
            Control.ControlClient control = new(calls);
            for (int i = 0; i < 3; i++)
            {
                await control.ListNodesAsync(new(), cancellationToken: Cancelled);
            }

            using AsyncServerStreamingCall<WatchResponse> watch = control.Watch(new(), cancellationToken: Cancelled);
            Assert.True(await watch.ResponseStream.MoveNext(Cancelled));
            await RefusedAsync(() => new Bootstrap.BootstrapClient(calls).IssueCertificateAsync(new(), cancellationToken: Cancelled));
            await RefusedAsync(() => calls.AsyncUnaryCall(Unknown, null, new(cancellationToken: Cancelled), new()));
        }

        using (GrpcChannel stranger = cluster.Call(null))
        {
            await RefusedAsync(() => new Control.ControlClient(stranger).ListNodesAsync(new(), cancellationToken: Cancelled));
        }

        // When it has ended it has counted all.
        await cluster.StopServerAsync();
        string[] served = server.Render().Split('\n');
        Assert.Contains("overlayd_grpc_requests_total{code=\"OK\",method=\"overlay.v1.Control/ListNodes\"} 3", served);
        Assert.Contains("overlayd_grpc_requests_total{code=\"Unauthenticated\",method=\"overlay.v1.Control/ListNodes\"} 1", served);
        Assert.Contains("overlayd_grpc_requests_total{code=\"PermissionDenied\",method=\"overlay.v1.Bootstrap/IssueCertificate\"} 1", served);
        Assert.Contains("overlayd_grpc_requests_total{code=\"Unimplemented\",method=\"unknown\"} 1", served);
        Assert.Single(served, static line => line.Contains("method=\"overlay.v1.Control/Watch\"", StringComparison.Ordinal));
        Assert.Contains("overlayd_grpc_request_duration_seconds_count{method=\"overlay.v1.Control/ListNodes\"} 4", served);
        Assert.DoesNotContain(served, static line => line.Contains("Made_up", StringComparison.Ordinal));

        string[] made = client.Render().Split('\n');
        Assert.Contains("overlayd_grpc_client_calls_total{code=\"OK\",method=\"overlay.v1.Control/ListNodes\"} 3", made);
        Assert.Contains(
            "overlayd_grpc_client_calls_total{code=\"PermissionDenied\",method=\"overlay.v1.Bootstrap/IssueCertificate\"} 1", made);
        Assert.Contains("overlayd_grpc_client_call_duration_seconds_count{method=\"overlay.v1.Control/ListNodes\"} 3", made);
    }

    private static Method<ListNodeObjectsRequest, ListNodeObjectsResponse> Unknown { get; } = new(
        MethodType.Unary, "overlay.v1.Control", "Made_up",
        Marshallers.Create<ListNodeObjectsRequest>(static _ => [], static _ => new()),
        Marshallers.Create<ListNodeObjectsResponse>(static _ => [], static _ => new()));

    private static Task<RpcException> RefusedAsync<T>(Func<AsyncUnaryCall<T>> call) => Assert.ThrowsAsync<RpcException>(async () => await call());
}

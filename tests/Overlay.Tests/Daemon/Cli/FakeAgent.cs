using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>
/// The Admin service on a real Unix socket, with answers from the test. A request that no answer was set for is refused
/// by gRPC as unimplemented, as an older agent would.
/// </summary>
internal sealed class FakeAgent : V1.Admin.AdminBase, IAsyncDisposable
{
    private readonly Dictionary<Type, Func<IMessage, ServerCallContext, Task<IMessage>>> answers = [];
    private readonly WebApplication application;
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("overlayd-cli-");

    private FakeAgent()
    {
        SocketPath = Path.Join(folder.FullName, "s");
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(server => server.ListenUnixSocket(
            SocketPath, static listen => listen.Protocols = HttpProtocols.Http1));
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        application = builder.Build();
        application.UseGrpcWeb(new() { DefaultEnabled = true });
        application.UseRouting();
        application.MapGrpcService<FakeAgent>();
    }

    public string SocketPath { get; }

    /// <summary>What was asked, in order.</summary>
    public List<IMessage> Requests { get; } = [];

    public static async Task<FakeAgent> StartAsync()
    {
        FakeAgent agent = new();
        await agent.application.StartAsync(TestContext.Current.CancellationToken);
        return agent;
    }

    public FakeAgent Answers<TRequest>(IMessage answer)
        where TRequest : IMessage => Answers<TRequest>((_, _) => Task.FromResult(answer));

    public FakeAgent Refuses<TRequest>(RpcException refusal)
        where TRequest : IMessage => Answers<TRequest>((_, _) => Task.FromException<IMessage>(refusal));

    public FakeAgent Answers<TRequest>(Func<TRequest, ServerCallContext, Task<IMessage>> answer)
        where TRequest : IMessage
    {
        answers[typeof(TRequest)] = (request, context) => answer((TRequest)request, context);
        return this;
    }

    public async ValueTask DisposeAsync()
    {
        await application.StopAsync(TestContext.Current.CancellationToken);
        await application.DisposeAsync();
        folder.Delete(recursive: true);
    }

    public override Task<InitResponse> Init(InitRequest request, ServerCallContext context) =>
        AnswerAsync<InitResponse>(request, context);

    public override Task<JoinResponse> Join(JoinRequest request, ServerCallContext context) =>
        AnswerAsync<JoinResponse>(request, context);

    public override Task<LeaveResponse> Leave(LeaveRequest request, ServerCallContext context) =>
        AnswerAsync<LeaveResponse>(request, context);

    public override Task<StatusResponse> GetStatus(GetStatusRequest request, ServerCallContext context) =>
        AnswerAsync<StatusResponse>(request, context);

    public override Task<VersionResponse> GetVersion(GetVersionRequest request, ServerCallContext context) =>
        AnswerAsync<VersionResponse>(request, context);

    public override Task<TokenResponse> ShowToken(ShowTokenRequest request, ServerCallContext context) =>
        AnswerAsync<TokenResponse>(request, context);

    public override Task<TokenResponse> RotateToken(RotateTokenRequest request, ServerCallContext context) =>
        AnswerAsync<TokenResponse>(request, context);

    public override Task<ListNodesResponse> ListNodes(ListNodesRequest request, ServerCallContext context) =>
        AnswerAsync<ListNodesResponse>(request, context);

    public override Task<NodeView> InspectNode(InspectNodeRequest request, ServerCallContext context) =>
        AnswerAsync<NodeView>(request, context);

    public override Task<RemoveNodeResponse> RemoveNode(RemoveNodeRequest request, ServerCallContext context) =>
        AnswerAsync<RemoveNodeResponse>(request, context);

    public override Task<UpdateNodeResponse> UpdateNode(UpdateNodeRequest request, ServerCallContext context) =>
        AnswerAsync<UpdateNodeResponse>(request, context);

    public override Task<NetworkView> CreateNetwork(CreateNetworkRequest request, ServerCallContext context) =>
        AnswerAsync<NetworkView>(request, context);

    public override Task<ListNetworksResponse> ListNetworks(ListNetworksRequest request, ServerCallContext context) =>
        AnswerAsync<ListNetworksResponse>(request, context);

    public override Task<NetworkView> InspectNetwork(InspectNetworkRequest request, ServerCallContext context) =>
        AnswerAsync<NetworkView>(request, context);

    public override Task<RemoveNetworkResponse> RemoveNetwork(
        RemoveNetworkRequest request, ServerCallContext context) =>
        AnswerAsync<RemoveNetworkResponse>(request, context);

    public override Task<ServiceView> CreateService(CreateServiceRequest request, ServerCallContext context) =>
        AnswerAsync<ServiceView>(request, context);

    public override Task<ListServicesResponse> ListServices(ListServicesRequest request, ServerCallContext context) =>
        AnswerAsync<ListServicesResponse>(request, context);

    public override Task<ServiceView> InspectService(InspectServiceRequest request, ServerCallContext context) =>
        AnswerAsync<ServiceView>(request, context);

    public override Task<UpdateServiceResponse> UpdateService(UpdateServiceRequest request, ServerCallContext context) =>
        AnswerAsync<UpdateServiceResponse>(request, context);

    public override Task<RemoveServiceResponse> RemoveService(
        RemoveServiceRequest request, ServerCallContext context) =>
        AnswerAsync<RemoveServiceResponse>(request, context);

    public override Task<SandboxView> CreateSandbox(CreateSandboxRequest request, ServerCallContext context) =>
        AnswerAsync<SandboxView>(request, context);

    public override Task<ListSandboxesResponse> ListSandboxes(
        ListSandboxesRequest request, ServerCallContext context) =>
        AnswerAsync<ListSandboxesResponse>(request, context);

    public override Task<RemoveSandboxResponse> RemoveSandbox(
        RemoveSandboxRequest request, ServerCallContext context) =>
        AnswerAsync<RemoveSandboxResponse>(request, context);

    public override Task<EndpointView> Attach(AttachRequest request, ServerCallContext context) =>
        AnswerAsync<EndpointView>(request, context);

    public override Task<DetachResponse> Detach(DetachRequest request, ServerCallContext context) =>
        AnswerAsync<DetachResponse>(request, context);

    public override Task<ListEndpointsResponse> ListEndpoints(
        ListEndpointsRequest request, ServerCallContext context) =>
        AnswerAsync<ListEndpointsResponse>(request, context);

    public override Task<EndpointView> InspectEndpoint(InspectEndpointRequest request, ServerCallContext context) =>
        AnswerAsync<EndpointView>(request, context);

    public override Task<UnlockResponse> Unlock(UnlockRequest request, ServerCallContext context) =>
        AnswerAsync<UnlockResponse>(request, context);

    public override Task<UnlockKeyResponse> ShowUnlockKey(ShowUnlockKeyRequest request, ServerCallContext context) =>
        AnswerAsync<UnlockKeyResponse>(request, context);

    public override Task<UnlockKeyResponse> RotateUnlockKey(RotateUnlockKeyRequest request, ServerCallContext context) =>
        AnswerAsync<UnlockKeyResponse>(request, context);

    public override Task<UpdateClusterResponse> UpdateCluster(UpdateClusterRequest request, ServerCallContext context) =>
        AnswerAsync<UpdateClusterResponse>(request, context);

    public override Task<BackupResponse> Backup(BackupRequest request, ServerCallContext context) =>
        AnswerAsync<BackupResponse>(request, context);

    public override Task<InitResponse> Restore(RestoreRequest request, ServerCallContext context) =>
        AnswerAsync<InitResponse>(request, context);

    private async Task<T> AnswerAsync<T>(IMessage request, ServerCallContext context)
        where T : IMessage
    {
        Requests.Add(request);
        return answers.TryGetValue(request.GetType(), out Func<IMessage, ServerCallContext, Task<IMessage>>? answer)
            ? (T)await answer(request, context)
            : throw new RpcException(new Status(StatusCode.Unimplemented, ""));
    }
}

using System.Net;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

/// <summary>A server that says what it likes: any identity, any root certificate. It counts who falls for it.</summary>
internal sealed class Impostor : Bootstrap.BootstrapBase, IAsyncDisposable
{
    private readonly byte[] offeredRoot;
    private readonly WebApplication application;
    private int proofs;

    private Impostor(NodeIdentity identity, byte[] offeredRoot, CapturedLogs logs)
    {
        this.offeredRoot = offeredRoot;
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddSingleton(logs.Factory);
        builder.Services.AddLogging();
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(this);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        RefusalLog refusals = new(new Microsoft.Extensions.Logging.Logger<RefusalLog>(logs.Factory), TimeProvider.System, new());
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            ManagerEndpoint.UseMutualTls(listen, identity, TimeProvider.System, refusals);
        }));
        application = builder.Build();
        application.UseRouting();
        application.MapGrpcService<Impostor>();
    }

    public string Address => new Uri(application.Urls.Single()).Authority;

    /// <summary>How many callers sent a proof of their secret.</summary>
    public int Proofs => Volatile.Read(ref proofs);

    public static async Task<Impostor> StartAsync(
        NodeIdentity identity, byte[] offeredRoot, CapturedLogs logs, CancellationToken cancellationToken)
    {
        Impostor impostor = new(identity, offeredRoot, logs);
        await impostor.application.StartAsync(cancellationToken);
        return impostor;
    }

    public override Task<GetRootCertificateResponse> GetRootCertificate(GetRootCertificateRequest request, ServerCallContext context) =>
        Task.FromResult(new GetRootCertificateResponse
        {
            CaCertificate = ByteString.CopyFrom(offeredRoot),
            Challenge = ByteString.CopyFrom(new byte[JoinProof.ChallengeBytes]),
        });

    public override Task<IssueCertificateResponse> IssueCertificate(IssueCertificateRequest request, ServerCallContext context)
    {
        Interlocked.Increment(ref proofs);
        throw new RpcException(new(StatusCode.Aborted, "thank you for the proof"));
    }

    public async ValueTask DisposeAsync()
    {
        await application.StopAsync(new CancellationToken(canceled: true));
        await application.DisposeAsync();
    }
}

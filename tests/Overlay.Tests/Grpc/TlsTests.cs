using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Overlay.Tests.Protos;

namespace Overlay.Tests.Grpc;

public sealed class TlsTests
{
    [Fact]
    public async Task A_call_over_tls_knows_who_calls()
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using X509Certificate2 serverCertificate = Make("localhost");
        using X509Certificate2 clientCertificate = Make("node-7");
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.UseHttps(serverCertificate, https =>
            {
                https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
                https.ClientCertificateValidation = (certificate, _, _) =>
                    certificate.Thumbprint == clientCertificate.Thumbprint;
            });
        }));
        await using WebApplication application = builder.Build();
        application.MapGrpcService<WhoService>();
        await application.StartAsync(stop);
        string address = application.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!.Addresses.Single();

        SocketsHttpHandler handler = new();
        handler.SslOptions.ClientCertificates = [clientCertificate];
        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            certificate?.GetCertHashString() == serverCertificate.Thumbprint;
        using GrpcChannel known = GrpcChannel.ForAddress(
            address, new GrpcChannelOptions { HttpHandler = handler, DisposeHttpClient = true });
        EchoReply reply = await new Echo.EchoClient(known).UnaryAsync(new EchoRequest(), cancellationToken: stop);
        Assert.Equal("node-7", reply.Text);

        using GrpcChannel stranger = GrpcChannel.ForAddress(address);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(async () =>
            await new Echo.EchoClient(stranger).UnaryAsync(new EchoRequest(), cancellationToken: stop));
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        await application.StopAsync(new CancellationToken(canceled: true));
    }

    private static X509Certificate2 Make(string name)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        using X509Certificate2 certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }

    private sealed class WhoService : Echo.EchoBase
    {
        public override Task<EchoReply> Unary(EchoRequest request, ServerCallContext context) =>
            Task.FromResult(new EchoReply { Text = context.AuthContext.PeerIdentity.Single().Value });
    }
}

using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Overlay.Interop.Grpcio;

/// <summary>Serves <see cref="EchoService"/> until its standard input ends.</summary>
internal static class EchoHost
{
    public static async Task RunAsync(string socketPath)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(new EchoService());
        builder.Services.AddGrpc(options => options.MaxReceiveMessageSize = 64 * 1024);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
            kestrel.ListenUnixSocket(socketPath, listen => listen.Protocols = HttpProtocols.Http2);
        });
        await using WebApplication application = builder.Build();
        application.MapGrpcService<EchoService>();
        await application.StartAsync();
        string address = application.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!.Addresses.First(text => !text.Contains("unix", StringComparison.Ordinal));
        Console.WriteLine(new Uri(address).Authority);
        _ = await Console.In.ReadToEndAsync();
    }
}

using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Overlay.Tests.Protos;

namespace Overlay.Tests.Grpc;

/// <summary>A real Kestrel that serves <see cref="EchoService"/> on loopback or on a Unix socket.</summary>
internal sealed class EchoServer : IAsyncDisposable
{
    public const int MaxMessageSize = 64 * 1024;

    private readonly WebApplication _application;
    private readonly DirectoryInfo? _folder;
    private readonly string? _socketPath;
    private readonly List<IDisposable> _clients = [];

    private EchoServer(WebApplication application, Observations seen, DirectoryInfo? folder, string? socketPath)
    {
        _application = application;
        Seen = seen;
        _folder = folder;
        _socketPath = socketPath;
    }

    public Observations Seen { get; }

    public Uri Address => _socketPath is not null
        ? new Uri("http://localhost")
        : new Uri(_application.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>()!.Addresses.Single());

    /// <summary>Null where it listens on loopback.</summary>
    public string? SocketPath => _socketPath;

    /// <param name="unixSocket">Instead of loopback.</param>
    /// <param name="web">gRPC-Web by HTTP/1.1 instead of gRPC by HTTP/2, on the Unix socket.</param>
    public static async Task<EchoServer> StartAsync(bool unixSocket = false, bool web = false)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        Observations seen = new();
        DirectoryInfo? folder = unixSocket ? Directory.CreateTempSubdirectory("overlay-grpc-") : null;
        string? path = folder is null ? null : Path.Combine(folder.FullName, "s");
        builder.Services.AddSingleton(seen);
        builder.Services.AddGrpc(options => options.MaxReceiveMessageSize = MaxMessageSize);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            if (path is not null)
            {
                kestrel.ListenUnixSocket(path, listen => listen.Protocols = web ? HttpProtocols.Http1 : HttpProtocols.Http2);
            }
            else
            {
                kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http2);
            }
        });
        WebApplication application = builder.Build();
        if (web)
        {
            application.UseGrpcWeb(new() { DefaultEnabled = true });
            application.UseRouting();
        }

        application.MapGrpcService<EchoService>();
        application.MapGrpcService<OtherService>();
        await application.StartAsync(TestContext.Current.CancellationToken);
        return new EchoServer(application, seen, folder, path);
    }

    public Echo.EchoClient Client(GrpcChannelOptions? options = null) => new(Channel(options));

    public GrpcChannel Channel(GrpcChannelOptions? options = null)
    {
        options ??= new GrpcChannelOptions();
        options.HttpHandler = Handler();
        options.DisposeHttpClient = true;
        GrpcChannel channel = GrpcChannel.ForAddress(Address, options);
        _clients.Add(channel);
        return channel;
    }

    public HttpMessageInvoker Http()
    {
        HttpMessageInvoker invoker = new(Handler());
        _clients.Add(invoker);
        return invoker;
    }

    public async ValueTask DisposeAsync()
    {
        Seen.Release.TrySetResult();
        // No grace: calls that still run are what some tests are about.
        await _application.StopAsync(new CancellationToken(canceled: true));
        await _application.DisposeAsync();
        foreach (IDisposable client in _clients)
        {
            client.Dispose();
        }

        _folder?.Delete(recursive: true);
    }

    private SocketsHttpHandler Handler()
    {
        SocketsHttpHandler handler = new() { UseProxy = false };
        if (_socketPath is { } path)
        {
            handler.ConnectCallback = async (_, stop) =>
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), stop);
                return new NetworkStream(socket, ownsSocket: true);
            };
        }

        return handler;
    }

    /// <summary>What the service saw, for the test to wait on.</summary>
    internal sealed class Observations
    {
        public TaskCompletionSource Started { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Release { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ServerCallContext? Context { get; set; }
    }

    private sealed class OtherService : Other.OtherBase;
}

using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Daemon.Names;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Dns;

namespace Overlay.Tests.Daemon.Names;

/// <summary>A name server whose sandboxes are ports of the loopback interface, and a client for them.</summary>
internal sealed class NameServerRig : ISandboxSocketFactory, IAsyncDisposable
{
    public static readonly NamespaceName Web = new("web");
    public static readonly NamespaceName Db = new("db");
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly CancellationTokenSource patience = new(Patience);
    private readonly Instruments instruments = new();
    private readonly Forwarder forwarder;

    public NameServerRig(NameServerOptions? options = null, params ImmutableArray<IPEndPoint> upstream)
    {
        options ??= new();
        forwarder = new(
            () => upstream, options.Upstream, instruments, Time, NullLogger<Forwarder>.Instance);
        Server = new(this, forwarder, options, instruments, Time, NullLogger<NameServer>.Instance);
    }

    /// <summary>Sockets are real, and so are waits; what is kept can be made to age.</summary>
    public LeapingTime Time { get; } = new();

    public NameServer Server { get; }

    public Dictionary<NamespaceName, IPEndPoint> Addresses { get; } = [];

    public HashSet<NamespaceName> Broken { get; } = [];

    public string Identity { get; set; } = "1";

    public CancellationToken Token => patience.Token;

    public static ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> Everywhere(
        params ImmutableArray<Zone> zones) =>
        ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>>.Empty.Add(Web, zones).Add(Db, zones);

    public static Zone Blue(string address) => new()
    {
        Network = new(1),
        Name = "blue",
        Endpoints = [new(["web"], IPAddress.Parse(address), null)],
    };

    public async Task StartAsync(ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> zones)
    {
        await forwarder.StartAsync(Token);
        await Server.StartAsync(Token);
        await PublishAsync(zones);
    }

    public Task PublishAsync(ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> zones)
    {
        Server.Publish(zones);
        return Server.WhenSettledAsync(Token);
    }

    public async Task<byte[]> AskAsync(NamespaceName sandbox, byte[] query)
    {
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await client.ConnectAsync(Addresses[sandbox], Token);
        await client.SendAsync(query, Token);
        byte[] buffer = new byte[65536];
        return buffer[..await client.ReceiveAsync(buffer, Token)];
    }

    public async Task<TcpClient> ConnectAsync(NamespaceName sandbox)
    {
        TcpClient client = new();
        await client.ConnectAsync(Addresses[sandbox], Token);
        return client;
    }

    public SandboxSockets Open(NamespaceName sandbox)
    {
        if (Broken.Contains(sandbox))
        {
            throw new NameServerException($"no names in sandbox {sandbox}: taken");
        }

        (Socket udp, Socket tcp) = LoopbackSockets.Bind();
        Addresses[sandbox] = (IPEndPoint)udp.LocalEndPoint!;
        return new(udp, tcp, Identity);
    }

    public string? IdentityOf(NamespaceName sandbox) => Identity;

    public async ValueTask DisposeAsync()
    {
        await Server.StopAsync(CancellationToken.None);
        await forwarder.StopAsync(CancellationToken.None);
        Server.Dispose();
        forwarder.Dispose();
        instruments.Dispose();
        patience.Dispose();
    }
}

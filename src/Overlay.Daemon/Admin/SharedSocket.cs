using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Overlay.Daemon.Admin;

/// <summary>
/// One clear-text socket for two protocols: HTTP/2 with prior knowledge (gRPC) and HTTP/1.1 (curl and probes). Without
/// TLS there is no ALPN, and Kestrel then serves one version only; but HTTP/2 begins with a fixed preface (RFC 9113,
/// 3.4), whose first four octets are no request that HTTP/1.1 knows.
/// <para>The first octets of a connection are looked at, not taken. HTTP/2 goes its usual way; anything else is
/// accepted once more, by an endpoint of this process that speaks HTTP/1.1 and has no address.</para>
/// </summary>
internal sealed class SharedSocket : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private const int MaxWaiting = 128;

    /// <summary>A client that says nothing holds no connection for longer.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly TimeProvider time;
    private readonly Http1EndPoint http1 = new();
    private readonly Channel<HandedConnection> handed = Channel.CreateBounded<HandedConnection>(MaxWaiting);

    private SharedSocket(TimeProvider time) => this.time = time;

    /// <summary>Listens on a Unix socket, for both.</summary>
    public static void Listen(IWebHostBuilder host, string path, TimeProvider time)
    {
        SharedSocket shared = new(time);
        host.ConfigureServices(services => services.AddSingleton<IConnectionListenerFactory>(shared));
        host.ConfigureKestrel(kestrel =>
        {
            kestrel.ListenUnixSocket(path, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(next => connection => shared.RouteAsync(connection, next));
            });
            kestrel.Listen(shared.http1, static listen => listen.Protocols = HttpProtocols.Http1);
        });
    }

    public bool CanBind(EndPoint endpoint) => ReferenceEquals(endpoint, http1);

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        ValueTask.FromResult<IConnectionListener>(new Listener(endpoint, handed));

    private static ReadOnlySpan<byte> Preface => "PRI "u8;

    private async Task RouteAsync(ConnectionContext connection, ConnectionDelegate http2)
    {
        switch (await IsHttp2Async(connection))
        {
            case true:
                await http2(connection);
                break;
            case false:
                HandedConnection other = new(connection);
                if (handed.Writer.TryWrite(other))
                {
                    await other.Completion;
                }

                break;
        }
    }

    /// <summary>Null: it ended, or said too little for too long.</summary>
    private async ValueTask<bool?> IsHttp2Async(ConnectionContext connection)
    {
        PipeReader input = connection.Transport.Input;
        using CancellationTokenSource patience = new(Patience, time);
        using CancellationTokenSource limit =
            CancellationTokenSource.CreateLinkedTokenSource(patience.Token, connection.ConnectionClosed, Ending(connection));
        try
        {
            long seen = 0;
            while (true)
            {
                ReadResult read = await input.ReadAsync(limit.Token);
                ReadOnlySequence<byte> head = read.Buffer;
                if (head.Length > seen && Decide(head) is { } isHttp2)
                {
                    // Nothing is taken, and there is more than was looked at: the next reader begins at once.
                    input.AdvanceTo(head.Start, head.GetPosition(seen));
                    return isHttp2;
                }

                input.AdvanceTo(head.Start, head.End);
                if (read.IsCompleted || read.IsCanceled)
                {
                    return null;
                }

                seen = head.Length;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The peer is gone, its time is over, or the server stops.
            return null;
        }
    }

    /// <summary>Cancelled when the server stops and waits for its connections to end.</summary>
    private static CancellationToken Ending(ConnectionContext connection) =>
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;

    /// <summary>Null: so far it could be either.</summary>
    private static bool? Decide(in ReadOnlySequence<byte> head)
    {
        Span<byte> first = stackalloc byte[(int)Math.Min(head.Length, Preface.Length)];
        head.Slice(0, first.Length).CopyTo(first);
        return !Preface.StartsWith(first) ? false
            : first.Length == Preface.Length ? true
            : null;
    }

    private sealed class Http1EndPoint : EndPoint
    {
        public override string ToString() => "http1-of-the-socket";
    }

    /// <summary>Hands what was routed to HTTP/1.1 to Kestrel, as if it had just been accepted.</summary>
    private sealed class Listener(EndPoint endpoint, Channel<HandedConnection> handed) : IConnectionListener
    {
        private readonly CancellationTokenSource unbound = new();

        public EndPoint EndPoint => endpoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(unbound.Token, cancellationToken);
            try
            {
                return await handed.Reader.ReadAsync(either.Token);
            }
            catch (OperationCanceledException) when (unbound.IsCancellationRequested)
            {
                // Null: no more will come.
                return null;
            }
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            await unbound.CancelAsync();
            while (handed.Reader.TryRead(out HandedConnection? left))
            {
                await left.DisposeAsync();
            }
        }

        public ValueTask DisposeAsync()
        {
            unbound.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

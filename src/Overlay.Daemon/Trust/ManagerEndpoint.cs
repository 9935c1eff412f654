using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>TLS 1.3 on the manager API, both ends.</summary>
internal static class ManagerEndpoint
{
    /// <summary>
    /// The server asks for a certificate without insisting: the bootstrap calls have none. One that is presented must
    /// be of this cluster, or the handshake fails; whether a call needs one, and one that has not expired, is
    /// <see cref="Authorization"/>'s to say.
    /// </summary>
    public static void UseMutualTls(ListenOptions listen, NodeIdentity identity, TimeProvider time, RefusalLog refusals) =>
        listen.UseHttps(new TlsHandshakeCallbackOptions
        {
            OnConnection = context => ValueTask.FromResult(new SslServerAuthenticationOptions
            {
                ServerCertificateContext = identity.Presented,
                ClientCertificateRequired = true,
                EnabledSslProtocols = SslProtocols.Tls13,
                // Every connection proves its certificate anew.
                AllowTlsResume = false,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                ApplicationProtocols = [SslApplicationProtocol.Http2],
                RemoteCertificateValidationCallback = (_, presented, chain, _) =>
                {
                    if (presented is null)
                    {
                        return true;
                    }

                    using X509Certificate2 peer = X509CertificateLoader.LoadCertificate(presented.GetRawCertData());
                    string? fault = ChainVerifier.Fault(
                        peer, chain?.ChainPolicy.ExtraStore, identity.Roots, identity.ClusterId, needed: null, time.GetUtcNow(), expiredToo: true);
                    if (fault is not null)
                    {
                        refusals.HandshakeRefused(context.Connection.RemoteEndPoint, fault);
                    }

                    return fault is null;
                },
            }),
            HandshakeTimeout = TimeSpan.FromSeconds(10),
        });

    /// <summary>A channel to a manager that must present a manager's certificate of this cluster.</summary>
    /// <param name="expiredToo">After a time in which everything was off, its certificate may have expired, too.</param>
    public static GrpcChannel Open(string address, NodeIdentity identity, TimeProvider time, bool expiredToo = false) =>
        OpenWith(
            address, identity.Presented,
            (peer, along) => ChainVerifier.Fault(
                peer, along, identity.Roots, identity.ClusterId, NodeRole.Manager, time.GetUtcNow(), expiredToo));

    /// <summary>A channel that presents a certificate, or none, to a server that the callback believes.</summary>
    /// <param name="own">With what it is presented along with.</param>
    /// <param name="fault">Why the server, which presented this along with its certificate, is not believed; null: it is.</param>
    public static GrpcChannel OpenWith(
        string address, SslStreamCertificateContext? own, Func<X509Certificate2?, X509Certificate2Collection?, string?> fault)
    {
        SocketsHttpHandler handler = new()
        {
            EnableMultipleHttp2Connections = true,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            ConnectCallback = TcpUserTimeout.ConnectAsync,
            // A dead manager is found by gossip, and sooner: this is for a connection that alone is lost.
            KeepAlivePingDelay = TimeSpan.FromSeconds(10),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(8),
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            UseProxy = false,
            SslOptions = new()
            {
                TargetHost = CertificateAuthority.ManagerName,
                EnabledSslProtocols = SslProtocols.Tls13,
                CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                ClientCertificateContext = own,
                RemoteCertificateValidationCallback = (_, presented, chain, _) =>
                {
                    using X509Certificate2? peer =
                        presented is null ? null : X509CertificateLoader.LoadCertificate(presented.GetRawCertData());
                    // Thrown, and not only false: so the reason reaches whoever made the call.
                    return fault(peer, chain?.ChainPolicy.ExtraStore) is { } why
                        ? throw new AuthenticationException($"{address} is not trusted: {why}")
                        : true;
                },
            },
        };
        return GrpcChannel.ForAddress($"https://{address}", new GrpcChannelOptions
        {
            HttpHandler = handler,
            DisposeHttpClient = true,
            MaxReceiveMessageSize = 64 << 20,
        });
    }
}

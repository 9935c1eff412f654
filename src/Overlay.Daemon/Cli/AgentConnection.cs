using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>A connection to the agent of this host, opened with the first call.</summary>
internal sealed class AgentConnection : IDisposable
{
    private readonly string socketPath;
    private readonly SocketsHttpHandler handler;
    private readonly GrpcChannel channel;
    private SocketError? refused;

    public AgentConnection(string socketPath)
    {
        this.socketPath = socketPath;
        handler = new SocketsHttpHandler
        {
            ConnectCallback = ConnectAsync,

            // Each of these is a layer around the call that a local socket has no use for, and costs start-up time.
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
        };
        channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = handler });
        Client = new V1.Admin.AdminClient(channel);
    }

    public V1.Admin.AdminClient Client { get; }

    /// <summary>What to tell a person of a call that failed.</summary>
    public Failure Explain(RpcException error, string what) =>
        refused is { } reason ? Unreachable(socketPath, reason, what) : CallFailure.Of(error, what);

    /// <summary>What to tell a person when the socket could not be connected to.</summary>
    internal static Failure Unreachable(string socketPath, SocketError reason, string what) => reason switch
    {
        SocketError.AccessDenied => new(
            what, $"you may not use the agent's socket {socketPath}",
            "Run the command with sudo, or add yourself to the group that owns the socket: "
            + "`sudo usermod -aG overlayd $USER`, then log in again",
            ExitCode.AgentUnreachable),
        _ => new(
            what, $"the agent is not running on this host (nobody serves {socketPath})",
            "Start it with `systemctl start overlayd` or `overlayd run`", ExitCode.AgentUnreachable),
    };

    public void Dispose()
    {
        channel.Dispose();
        handler.Dispose();
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken stop)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), stop);
            refused = null;
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (SocketException reason)
        {
            refused = reason.SocketErrorCode;
            socket.Dispose();
            throw;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

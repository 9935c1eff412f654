using System.Net.Sockets;
using Grpc.Core;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>The way to the agent of this host.</summary>
internal sealed class AgentConnection
{
    private readonly string socketPath;
    private readonly GrpcWebCalls calls;

    public AgentConnection(string socketPath, TimeProvider time)
    {
        this.socketPath = socketPath;
        calls = new(socketPath, time);
        Client = new V1.Admin.AdminClient(calls);
    }

    public V1.Admin.AdminClient Client { get; }

    /// <summary>What to tell a person of a call that failed.</summary>
    public Failure Explain(RpcException error, string what) =>
        calls.Refused is { } reason ? Unreachable(socketPath, reason, what) : CallFailure.Of(error, what);

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
}

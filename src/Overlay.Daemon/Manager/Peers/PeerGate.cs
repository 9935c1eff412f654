using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Overlay.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>Lets other members' calls in by their hello and certificate.</summary>
internal sealed class PeerGate(IPeerJudge judge, RefusalLog refusals)
{
    /// <returns>The hello of a member that means this one.</returns>
    /// <exception cref="RpcException">It is none.</exception>
    public RaftHello Judge(RaftHello? hello, ServerCallContext context)
    {
        HttpContext http = context.GetHttpContext();
        if (PeerHello.Fault(hello, PeerPrincipal.Of(http), judge) is not { } refused)
        {
            return hello!;
        }

        if (hello is not null && hello.ClusterId == judge.Self.ClusterId)
        {
            judge.Superseded(hello.Epoch);
        }

        ConnectionInfo peer = http.Connection;
        refusals.CallRefused(new IPEndPoint(peer.RemoteIpAddress ?? IPAddress.None, peer.RemotePort), context.Method, refused.Detail);
        throw new RpcException(refused, PeerHello.Trailers(judge.Self));
    }
}

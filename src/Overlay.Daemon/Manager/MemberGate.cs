using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// Middleware behind <see cref="Authorization"/>: what the store says of a caller whose certificate may be older than that.
/// A manager that was removed or demoted is none any more, and only a manager may speak for another node.
/// </summary>
internal static class MemberGate
{
    private const string Raft = "/overlay.v1.Raft/";

    public static void UseMemberGate(this IApplicationBuilder application, ManagerLoop loop) => application.Use((context, next) =>
    {
        string path = context.Request.Path.Value ?? "";
        RpcException? fault = path.StartsWith(Raft, StringComparison.Ordinal) ? null : Fault(context, path, loop.State);
        if (fault is null)
        {
            return next(context);
        }

        if (fault.StatusCode != StatusCode.Unavailable)
        {
            ConnectionInfo peer = context.Connection;
            context.RequestServices.GetRequiredService<RefusalLog>().CallRefused(
                new IPEndPoint(peer.RemoteIpAddress ?? IPAddress.None, peer.RemotePort), path, fault.Status.Detail);
        }

        TrailersOnly.Write(context.Response, fault);
        return Task.CompletedTask;
    });

    private static RpcException? Fault(HttpContext context, string path, ClusterState state)
    {
        if (state.Cluster is null)
        {
            return RefusalStatus.ToException(ManagerEnd.CatchingUp);
        }

        string? spoken = context.Request.Headers[LeaderProxy.Caller];
        bool speaksForOther = !string.IsNullOrEmpty(spoken);
        if (MethodPolicy.Of(path) != MethodPolicy.Access.Managers && !speaksForOther)
        {
            return null;
        }

        PeerPrincipal? caller = context.Features.Get<PeerPrincipal>();
        if (caller is null || state.Node(caller.Node.ToString()) is not { } node || NodeCertificates.RoleOf(node) != NodeRole.Manager
            || caller.Role != NodeRole.Manager)
        {
            return new(new(StatusCode.PermissionDenied, "the caller is no manager of this cluster (any more)"));
        }

        if (speaksForOther)
        {
            if (!NodeId.TryParse(spoken, out NodeId other))
            {
                return new(new(StatusCode.InvalidArgument, "the node whose call it is cannot be read"));
            }

            context.Features.Set(new PeerPrincipal(other, NodeRole.Worker, caller.ClusterId));
        }

        return null;
    }
}

using System.Buffers.Binary;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Trust;
using Overlay.Primitives;

namespace Overlay.Daemon.Manager;

/// <summary>
/// Middleware: a call that only the leader can serve is answered with the leader's answer where this manager does not
/// lead. The bytes pass as they are (gRPC over HTTP/2, length-prefixed messages).
/// </summary>
internal static class LeaderRouting
{
    private const int Prefix = 5;
    private const int MaxRequest = 16 << 20;

    /// <summary>
    /// Of the services that are served here alone: the operator's socket must be no way to what managers say to each other.
    /// </summary>
    /// <param name="way">From the manager on this node; null: none runs here.</param>
    public static void UseLeaderRouting(this IApplicationBuilder application, Func<LeaderProxy?> way) =>
        application.Use((context, next) =>
        {
            string path = context.Request.Path.Value ?? "";
            bool isServed = context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>() is not null;
            return isServed && MethodPolicy.IsForLeader(path) && way() is { Loop.Leadership.View.IsLeader: false } leader
                ? RouteAsync(context, next, path, leader)
                : next(context);
        });

    private static async Task RouteAsync(HttpContext context, RequestDelegate next, string path, LeaderProxy leader)
    {
        try
        {
            if (context.Request.Headers.ContainsKey(LeaderProxy.Passed))
            {
                throw new RpcException(
                    new(StatusCode.Unavailable, "This manager does not lead."), new Metadata { { LeaderProxy.NotLeader, "1" } });
            }

            byte[] request = await ReadAsync(context.Request, context.RequestAborted);
            NodeId? caller = path.StartsWith("/overlay.v1.Agent/", StringComparison.Ordinal) ? PeerPrincipal.Of(context).Node : null;
            if (await leader.CallAsync(path, request, [], caller, context.RequestAborted) is { } answer)
            {
                await CatchUpAsync(leader.Loop, context.RequestAborted);
                await WriteAsync(context.Response, answer);
                return;
            }

            context.Request.Body = new MemoryStream(Framed(request));
        }
        catch (RpcException e)
        {
            TrailersOnly.Write(context.Response, e);
            return;
        }
        catch (EndOfStreamException)
        {
            TrailersOnly.Write(context.Response, new(new(StatusCode.InvalidArgument, "The request ends before it is whole.")));
            return;
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody waits any more.
            return;
        }

        await next(context);
    }

    /// <summary>What the answer tells of is here, too, before the caller asks.</summary>
    private static async Task CatchUpAsync(ManagerLoop loop, CancellationToken cancellationToken)
    {
        try
        {
            await loop.ReadAsync(cancellationToken);
        }
        catch (RpcException)
        {
            // The leader is lost by now; its answer stands.
        }
    }

    private static async Task<byte[]> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        byte[] prefix = new byte[Prefix];
        await request.Body.ReadExactlyAsync(prefix, cancellationToken);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1));
        if (prefix[0] != 0)
        {
            throw new RpcException(new(StatusCode.Unimplemented, "Messages are not compressed here."));
        }

        if (length > MaxRequest)
        {
            throw new RpcException(new(StatusCode.ResourceExhausted, $"A request has {MaxRequest} bytes at most."));
        }

        byte[] message = new byte[length];
        await request.Body.ReadExactlyAsync(message, cancellationToken);
        return message;
    }

    private static async Task WriteAsync(HttpResponse response, byte[] message)
    {
        response.ContentType = "application/grpc";
        await response.Body.WriteAsync(Framed(message));
        response.AppendTrailer("grpc-status", "0");
    }

    private static byte[] Framed(byte[] message)
    {
        byte[] framed = new byte[Prefix + message.Length];
        BinaryPrimitives.WriteUInt32BigEndian(framed.AsSpan(1), (uint)message.Length);
        message.CopyTo(framed.AsSpan(Prefix));
        return framed;
    }
}

using Google.Protobuf;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Errors;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>Where a machine that proved its token gets its place in the cluster.</summary>
internal interface INodeAdmission
{
    ClusterObject Cluster { get; }

    Task<Outcome<NodeObject>> AdmitAsync(NodeDescription description, NodeRole role, CancellationToken cancellationToken);
}

/// <summary>The two calls that need no certificate: the root for everybody, a signature for who proves a token.</summary>
internal sealed class BootstrapService(
    INodeAdmission admission, ClusterAuthority authority, BootstrapChallenges challenges, RefusalLog refusals,
    TimeProvider time) : Bootstrap.BootstrapBase
{
    private static readonly Refusal UsedBefore = new(
        RefusalKind.NotPermitted, "The join was refused.", "The challenge was used before or is too old.", "Join again.");

    private const string Next = "Show the present token on a manager with `overlayd token show worker`, and join again.";

    public override Task<GetRootCertificateResponse> GetRootCertificate(GetRootCertificateRequest request, ServerCallContext context) =>
        Task.FromResult(new GetRootCertificateResponse
        {
            CaCertificate = admission.Cluster.CaCertificate,
            Challenge = ByteString.CopyFrom(challenges.Issue()),
        });

    public override async Task<IssueCertificateResponse> IssueCertificate(IssueCertificateRequest request, ServerCallContext context)
    {
        if (!challenges.IsOpen(request.Challenge.Span))
        {
            throw Refuse(context, UsedBefore);
        }

        NodeRole role = JoinProof.RoleOf(
            admission.Cluster, request.Challenge.Span, request.CertificateRequest.Span, request.Proof.Span);
        if (role != NodeRole.Unspecified && !challenges.Spend(request.Challenge.Span))
        {
            // The same request twice at once: only one of them is served.
            throw Refuse(context, UsedBefore);
        }

        if (role == NodeRole.Unspecified)
        {
            throw Refuse(context, new(
                RefusalKind.NotPermitted, "The join was refused.", "The token's secret is not this cluster's; it may have been rotated.",
                Next));
        }

        // Before the node gets its place: a request that cannot be signed must not leave a node behind.
        if (CertificateAuthority.FaultOf(request.CertificateRequest.ToByteArray()) is { } unreadable)
        {
            throw Refuse(context, unreadable);
        }

        if (request.Description is null)
        {
            throw Refuse(context, new(
                RefusalKind.Invalid, "The join was refused.", "The request does not describe the node.", "Join again with `overlayd join`."));
        }

        Outcome<NodeObject> admitted = await admission.AdmitAsync(request.Description, role, context.CancellationToken);
        if (admitted.Refusal is { } refusal)
        {
            throw Refuse(context, refusal);
        }

        ClusterObject cluster = admission.Cluster;
        NodeId node = NodeId.Parse(admitted.Value.Id);
        ClusterAuthority.Signer signer = authority.For(cluster);
        Outcome<byte[]> signed = signer.Authority.SignNode(
            request.CertificateRequest.ToByteArray(), node, role, cluster.Id,
            TimeSpan.FromSeconds(cluster.CertificateLifeSeconds), time.GetUtcNow());
        return signed.Refusal is { } unsigned
            ? throw Refuse(context, unsigned)
            : new()
            {
                Certificate = ByteString.CopyFrom(signed.Value),
                CaCertificate = cluster.CaCertificate,
                NodeId = admitted.Value.Id,
                ClusterId = cluster.Id,
                Role = role,
                Intermediates = { signer.Intermediates },
            };
    }

    private RpcException Refuse(ServerCallContext context, Refusal refusal)
    {
        Microsoft.AspNetCore.Http.ConnectionInfo peer = context.GetHttpContext().Connection;
        refusals.CallRefused(new System.Net.IPEndPoint(peer.RemoteIpAddress ?? System.Net.IPAddress.None, peer.RemotePort), context.Method, refusal.Why);
        return RefusalStatus.ToException(refusal);
    }
}

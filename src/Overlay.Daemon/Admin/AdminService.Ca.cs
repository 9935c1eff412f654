using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>The cluster's root certificate, and its replacement.</summary>
internal sealed partial class AdminService
{
    public override Task<CaView> ShowCa(ShowCaRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("show the root certificate");
        // A manager's own store, also while a session is ahead of it: who waits for a rotation must not see the time before it.
        return Task.FromResult(current.Manager?.Loop.State is { Cluster: not null } state
            ? ViewOf(state)
            : ViewOf(current.Identity.Roots[0].RawData));
    }

    public override async Task<CaView> RotateCa(RotateCaRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("replace the root certificate");
        ClusterObject cluster = manager.Loop.State.Cluster!;
        using CertificateAuthority present = CertificateAuthority.Load(cluster.CaCertificate.ToByteArray(), cluster.CaKey.ToByteArray());
        using CertificateAuthority next = CertificateAuthority.Create(cluster.Id, host.Services.Clock.Time.GetUtcNow());
        byte[] cross = present.CrossSign(next);
        byte[] key = next.ExportKey();
        try
        {
            RefusalStatus.Require(await manager.Loop.ProposeAsync(
                intent => intent.BeginCaRotation(next.CertificateDer, key, cross), "", context.CancellationToken));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }

        return ViewOf(manager.Loop.State);
    }

    private static CaView ViewOf(ClusterState state)
    {
        ClusterObject cluster = state.Cluster!;
        CaView view = ViewOf(cluster.CaCertificate.ToByteArray());
        if (CaProgress.Of(state) is { } progress)
        {
            view.Rotation = new()
            {
                Digest = DigestOf(cluster.CaRotation.CaCertificate.Span),
                StartedUnixMs = cluster.CaRotation.StartedUnixMs,
                Nodes = (uint)progress.Nodes,
                Done = (uint)progress.Done,
                WaitingFor = { progress.Missing.Select(static node => node.Hostname) },
            };
        }

        return view;
    }

    private static CaView ViewOf(byte[] root)
    {
        using X509Certificate2 certificate = X509CertificateLoader.LoadCertificate(root);
        return new()
        {
            Certificate = certificate.ExportCertificatePem() + "\n",
            Digest = DigestOf(root),
            ExpiresUnixMs = new DateTimeOffset(certificate.NotAfter).ToUnixTimeMilliseconds(),
        };
    }

    private static string DigestOf(ReadOnlySpan<byte> certificate) => Convert.ToHexStringLower(SHA256.HashData(certificate));
}

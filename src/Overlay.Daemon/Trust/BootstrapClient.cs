using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Trust;

/// <summary>
/// Joins a cluster: takes the root from a manager over a connection it does not believe yet, compares it with the
/// token's digest, and only then, on a connection to whoever has a manager's certificate from that root, proves the token.
/// </summary>
internal static class BootstrapClient
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(10);

    public static async Task<Outcome<NodeIdentity>> JoinAsync(
        string tokenText, IReadOnlyList<string> managers, NodeDescription description, string stateFolder, TimeProvider time,
        CancellationToken cancellationToken)
    {
        Outcome<JoinToken> token = JoinToken.Parse(tokenText);
        if (token.Refusal is { } malformed)
        {
            return malformed;
        }

        Refusal last = new(
            RefusalKind.Invalid, "Cannot join.", "No manager was named.", "Type `overlayd join --token TOKEN MANAGER:2377`.");
        foreach (string manager in managers)
        {
            Outcome<NodeIdentity> joined = await JoinOneAsync(token.Value, manager, description, stateFolder, time, cancellationToken);
            if (joined.Refusal is not { } refusal)
            {
                return joined;
            }

            last = refusal;
            if (refusal.Kind != RefusalKind.Unavailable)
            {
                return refusal;
            }
        }

        return last;
    }

    private static async Task<Outcome<NodeIdentity>> JoinOneAsync(
        JoinToken token, string manager, NodeDescription description, string stateFolder, TimeProvider time,
        CancellationToken cancellationToken)
    {
        PresentedCertificates presented = new(time);
        try
        {
            using GrpcChannel channel = ManagerEndpoint.OpenWith(manager, null, presented.Fault);
            Bootstrap.BootstrapClient client = new(channel);
            GetRootCertificateResponse offered = await client.GetRootCertificateAsync(
                new(), deadline: Deadline(time), cancellationToken: cancellationToken);
            if (!token.Matches(offered.CaCertificate.Span))
            {
                return Distrust(manager, "its root certificate is not the one the token was made for");
            }

            using X509Certificate2 root = X509CertificateLoader.LoadCertificate(offered.CaCertificate.Span);
            return presented.Pin(root) is { } fault
                ? Distrust(manager, $"its certificate does not come from the cluster's root ({fault})")
                : await EnrolAsync(token, client, manager, description, offered, root, stateFolder, time, cancellationToken);
        }
        catch (RpcException e)
        {
            return RefusalStatus.FromException(e) ?? new Refusal(
                RefusalKind.Unavailable, $"Cannot join through {manager}.", $"{e.Status.Detail.TrimEnd('.')}.",
                "Check that a manager's agent runs there and that TCP port 2377 is open.");
        }
        catch (UriFormatException)
        {
            return new Refusal(
                RefusalKind.Invalid, "Cannot join.", $"{Refusal.Quote(manager)} is not an address of a manager.",
                "Type `overlayd join --token TOKEN MANAGER:2377`.");
        }
        catch (CryptographicException e)
        {
            return Distrust(manager, $"its certificates cannot be read ({e.Message.TrimEnd('.')})");
        }
    }

    private static async Task<Outcome<NodeIdentity>> EnrolAsync(
        JoinToken token, Bootstrap.BootstrapClient client, string manager, NodeDescription description,
        GetRootCertificateResponse offered, X509Certificate2 root, string stateFolder, TimeProvider time,
        CancellationToken cancellationToken)
    {
        ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        byte[] request = NodeIdentity.RequestFor(key);
        byte[] proof = JoinProof.Compute(token.Secret, offered.Challenge.Span, request);
        IssueCertificateResponse issued = await client.IssueCertificateAsync(
            new()
            {
                Challenge = offered.Challenge,
                Proof = ByteString.CopyFrom(proof),
                CertificateRequest = ByteString.CopyFrom(request),
                Description = description,
            },
            deadline: Deadline(time), cancellationToken: cancellationToken);
        using X509Certificate2 own = X509CertificateLoader.LoadCertificate(issued.Certificate.Span);
        byte[][] intermediates = [.. issued.Intermediates.Select(static der => der.ToByteArray())];
        string? fault = NodeIdentity.IsOf(key, own)
            ? ChainVerifier.Fault(own, NodeIdentity.Read(intermediates), [root], issued.ClusterId, needed: null, time.GetUtcNow())
            : "it is of another key";
        return fault is not null
            ? Distrust(manager, $"the certificate it issued is not valid ({fault})")
            : NodeIdentity.Store(stateFolder, key, new(issued.Certificate.ToByteArray(), intermediates), root.RawData);
    }

    private static DateTime Deadline(TimeProvider time) => time.GetUtcNow().UtcDateTime + CallTimeout;

    private static Refusal Distrust(string manager, string why) => new(
        RefusalKind.NotPermitted, $"Cannot join through {manager}.", $"It is not trusted: {why}.",
        "Take the token from `overlayd token show worker` on a manager of the cluster you mean.");
}

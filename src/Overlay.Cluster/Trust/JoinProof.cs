using System.Security.Cryptography;
using Overlay.V1;

namespace Overlay.Cluster.Trust;

/// <summary>
/// How a joining machine proves its secret without sending it: HMAC-SHA256(secret, "overlayd join v1" || challenge ||
/// SHA-256(certificate request)), as manager.proto says. Bound to the request, so that nobody can put in their own.
/// </summary>
public static class JoinProof
{
    public const int ChallengeBytes = 32;

    private static ReadOnlySpan<byte> Context => "overlayd join v1"u8;

    /// <param name="certificateRequest">PKCS#10 DER.</param>
    public static byte[] Compute(
        ReadOnlySpan<byte> secret, ReadOnlySpan<byte> challenge, ReadOnlySpan<byte> certificateRequest)
    {
        using IncrementalHash hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret);
        hash.AppendData(Context);
        hash.AppendData(challenge);
        hash.AppendData(SHA256.HashData(certificateRequest));
        return hash.GetHashAndReset();
    }

    /// <summary>
    /// The role whose secret the caller proved; unspecified: none. Both are always compared, each in constant time.
    /// </summary>
    public static NodeRole RoleOf(
        ClusterObject cluster,
        ReadOnlySpan<byte> challenge,
        ReadOnlySpan<byte> certificateRequest,
        ReadOnlySpan<byte> proof)
    {
        bool worker = Proves(cluster.WorkerSecret.Span, challenge, certificateRequest, proof);
        bool manager = Proves(cluster.ManagerSecret.Span, challenge, certificateRequest, proof);
        return manager ? NodeRole.Manager : worker ? NodeRole.Worker : NodeRole.Unspecified;
    }

    // A secret that was never set proves nothing.
    private static bool Proves(
        ReadOnlySpan<byte> secret,
        ReadOnlySpan<byte> challenge,
        ReadOnlySpan<byte> certificateRequest,
        ReadOnlySpan<byte> proof) =>
        CryptographicOperations.FixedTimeEquals(Compute(secret, challenge, certificateRequest), proof)
        & secret.Length == JoinToken.SecretBytes & challenge.Length == ChallengeBytes;
}

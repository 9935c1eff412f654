using System.Buffers.Binary;
using System.Security.Cryptography;
using Overlay.Cluster.Trust;

namespace Overlay.Daemon.Trust;

/// <summary>
/// Challenges given to machines that want to join: each is good once, for a minute. To give one costs no memory — it
/// carries its own time and a keyed digest — so however many strangers ask, whoever holds a token still gets in.
/// Only what was used with a proof is remembered, until it would have ended anyway.
/// <para>Layout: 8 octets of the monotonic clock, 8 random, 16 of HMAC-SHA256 over both.</para>
/// </summary>
internal sealed class BootstrapChallenges(TimeProvider time)
{
    /// <summary>As many machines may join within one minute.</summary>
    private const int MaxSpent = 16 * 1024;
    private const int SignedBytes = 16;
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(1);

    private readonly byte[] key = RandomNumberGenerator.GetBytes(32);
    private readonly Lock gate = new();
    private readonly Dictionary<UInt128, long> spent = [];

    public byte[] Issue()
    {
        byte[] challenge = new byte[JoinProof.ChallengeBytes];
        BinaryPrimitives.WriteInt64BigEndian(challenge, time.GetTimestamp());
        RandomNumberGenerator.Fill(challenge.AsSpan(8, 8));
        Sign(challenge.AsSpan(0, SignedBytes), challenge.AsSpan(SignedBytes));
        return challenge;
    }

    /// <summary>Whether it was given by this manager, within the last minute, and was not used since.</summary>
    public bool IsOpen(ReadOnlySpan<byte> challenge)
    {
        if (challenge.Length != JoinProof.ChallengeBytes)
        {
            return false;
        }

        Span<byte> digest = stackalloc byte[JoinProof.ChallengeBytes - SignedBytes];
        Sign(challenge[..SignedBytes], digest);
        if (!CryptographicOperations.FixedTimeEquals(digest, challenge[SignedBytes..]) || IsOver(IssuedAt(challenge)))
        {
            return false;
        }

        lock (gate)
        {
            return !spent.ContainsKey(Name(challenge));
        }
    }

    /// <summary>Uses up an open one; call it only for who proved a secret. True once for each.</summary>
    public bool Spend(ReadOnlySpan<byte> challenge)
    {
        if (!IsOpen(challenge))
        {
            return false;
        }

        lock (gate)
        {
            if (spent.Count >= MaxSpent)
            {
                foreach (UInt128 over in spent.Where(s => IsOver(s.Value)).Select(static s => s.Key).ToArray())
                {
                    spent.Remove(over);
                }
            }

            return spent.Count < MaxSpent && spent.TryAdd(Name(challenge), IssuedAt(challenge));
        }
    }

    private static long IssuedAt(ReadOnlySpan<byte> challenge) => BinaryPrimitives.ReadInt64BigEndian(challenge);

    private static UInt128 Name(ReadOnlySpan<byte> challenge) => BinaryPrimitives.ReadUInt128BigEndian(challenge);

    private bool IsOver(long issuedAt) => time.GetElapsedTime(issuedAt) >= Life;

    private void Sign(ReadOnlySpan<byte> signed, Span<byte> digest)
    {
        Span<byte> whole = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, signed, whole);
        whole[..digest.Length].CopyTo(digest);
    }
}

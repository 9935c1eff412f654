using System.Security.Cryptography;
using Overlay.Cluster.Trust;

namespace Overlay.Daemon.Trust;

/// <summary>Challenges given to machines that want to join: each is good once, for a minute. Bounded in number.</summary>
internal sealed class BootstrapChallenges(TimeProvider time)
{
    private const int MaxOpen = 1024;
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(1);

    private readonly Lock gate = new();
    private readonly Dictionary<string, DateTimeOffset> open = new(StringComparer.Ordinal);

    /// <summary>Null: too many are open; the caller tries again later.</summary>
    public byte[]? Issue()
    {
        DateTimeOffset now = time.GetUtcNow();
        byte[] challenge = RandomNumberGenerator.GetBytes(JoinProof.ChallengeBytes);
        lock (gate)
        {
            if (open.Count >= MaxOpen)
            {
                foreach (string expired in open.Where(o => o.Value <= now).Select(static o => o.Key).ToArray())
                {
                    open.Remove(expired);
                }

                if (open.Count >= MaxOpen)
                {
                    return null;
                }
            }

            open[Convert.ToHexString(challenge)] = now + Life;
        }

        return challenge;
    }

    /// <summary>True once for each issued challenge, within its life.</summary>
    public bool Redeem(ReadOnlySpan<byte> challenge)
    {
        if (challenge.Length != JoinProof.ChallengeBytes)
        {
            return false;
        }

        string text = Convert.ToHexString(challenge);
        lock (gate)
        {
            return open.Remove(text, out DateTimeOffset until) && until > time.GetUtcNow();
        }
    }
}

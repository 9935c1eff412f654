using System.Security.Cryptography;
using Overlay.Primitives;

namespace Overlay.Cluster.Trust;

/// <summary>
/// What wraps the keys of every manager's disk while the cluster is locked; an operator types it after a manager's restart.
/// Text form "OVKEY-1-&lt;key&gt;" in base 32. It is never logged: <see cref="ToString"/> shows nothing of it.
/// </summary>
public sealed class UnlockKey
{
    /// <summary>Of AES-256.</summary>
    public const int SecretBytes = 32;

    private const string Beginning = "OVKEY-1-";
    private readonly byte[] secret;

    private UnlockKey(byte[] secret) => this.secret = secret;

    public ReadOnlySpan<byte> Secret => secret;

    /// <param name="secret">32 bytes; copied.</param>
    public static UnlockKey Of(ReadOnlySpan<byte> secret)
    {
        Invariant.Holds(secret.Length == SecretBytes, "an unlock key has 32 bytes");
        return new(secret.ToArray());
    }

    public static Outcome<UnlockKey> Parse(string? text)
    {
        string trimmed = text is { Length: <= 256 } ? text.Trim() : "";
        if (trimmed.Length == 0)
        {
            return Refused(text is { Length: > 256 } ? "It is far longer than an unlock key." : "It is empty.");
        }

        if (!trimmed.StartsWith(Beginning, StringComparison.Ordinal))
        {
            return Refused($"An unlock key begins with {Beginning}.");
        }

        int length = Base32.LengthOf(SecretBytes);
        string rest = trimmed[Beginning.Length..];
        byte[] secret = new byte[SecretBytes];
        return rest.Length != length ? Refused($"It has {rest.Length} characters behind {Beginning} instead of {length}, so a piece of it is missing.")
            : Base32.TryParse(rest, secret) ? new UnlockKey(secret)
            : Refused("It holds characters that no unlock key has; it is made of a-z and 2-7.");
    }

    /// <summary>The whole key.</summary>
    public string Format() => Beginning + Base32.Format(secret);

    public bool Equals(ReadOnlySpan<byte> other) => CryptographicOperations.FixedTimeEquals(secret, other);

    public override string ToString() => Beginning + "…";

    // The text itself is not shown: it may hold most of a secret.
    private static Refusal Refused(string why) => new(
        RefusalKind.Invalid, "The unlock key cannot be read.", why,
        "Type the key that `overlayd init --autolock` or `overlayd unlock-key show` printed, whole.");
}

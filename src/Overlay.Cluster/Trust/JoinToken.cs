using System.Security.Cryptography;
using Overlay.Primitives;

namespace Overlay.Cluster.Trust;

/// <summary>
/// What a machine needs to join: which root certificate to believe, and a secret that proves it was invited.
/// Text form "OVTKN-1-&lt;SHA-256 of the root's DER&gt;-&lt;secret&gt;", both in base 32. It is never logged:
/// <see cref="ToString"/> shows no secret.
/// </summary>
public sealed class JoinToken
{
    public const int DigestBytes = SHA256.HashSizeInBytes;
    public const int SecretBytes = 16;

    private const string Name = "OVTKN";
    private const string Version = "1";

    private readonly byte[] digest;
    private readonly byte[] secret;

    private JoinToken(byte[] digest, byte[] secret)
    {
        this.digest = digest;
        this.secret = secret;
    }

    public ReadOnlySpan<byte> Secret => secret;

    /// <param name="caCertificate">X.509 DER of the root.</param>
    public static JoinToken For(ReadOnlySpan<byte> caCertificate, ReadOnlySpan<byte> secret)
    {
        Invariant.Holds(secret.Length == SecretBytes, "a join secret has 16 bytes");
        return new(SHA256.HashData(caCertificate), secret.ToArray());
    }

    public static Outcome<JoinToken> Parse(string? text)
    {
        string trimmed = text is { Length: <= 256 } ? text.Trim() : "";
        string[] parts = trimmed.Split('-');
        if (trimmed.Length == 0)
        {
            return Refused(text is { Length: > 256 } ? "It is far longer than a token." : "It is empty.");
        }

        if (parts[0] != Name)
        {
            return Refused($"A token begins with {Name}-{Version}-.");
        }

        if (parts.Length > 1 && parts[1] != Version)
        {
            return Refused($"It is of version {Refusal.Quote(parts[1])}, and this program reads version {Version}.");
        }

        if (parts.Length != 4)
        {
            return Refused($"It has {parts.Length} parts between dashes instead of 4, so a piece of it is missing.");
        }

        byte[] digest = new byte[DigestBytes];
        byte[] secret = new byte[SecretBytes];
        return PartFault("third", parts[2], digest) is { } inDigest ? inDigest
            : PartFault("fourth", parts[3], secret) is { } inSecret ? inSecret
            : new JoinToken(digest, secret);
    }

    /// <summary>Whether this is the root certificate that the token was made for.</summary>
    public bool Matches(ReadOnlySpan<byte> caCertificate) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(caCertificate), digest);

    /// <summary>The whole token, with its secret.</summary>
    public string Format() => $"{Name}-{Version}-{Base32.Format(digest)}-{Base32.Format(secret)}";

    /// <summary>The token without its secret.</summary>
    public override string ToString() => $"{Name}-{Version}-{Base32.Format(digest)}-…";

    private static Refusal? PartFault(string place, string part, byte[] bytes)
    {
        int length = Base32.LengthOf(bytes.Length);
        return part.Length != length
            ? Refused($"Its {place} part has {part.Length} characters instead of {length}.")
            : Base32.TryParse(part, bytes) ? null
            : Refused($"Its {place} part holds characters that no token has; it is made of a-z and 2-7.");
    }

    // The text itself is not shown: it may hold most of a secret.
    private static Refusal Refused(string why) => new(
        RefusalKind.Invalid,
        "The join token cannot be read.",
        why,
        "Type `overlayd token show` on a manager and copy the whole token.");
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using Overlay.Primitives;

namespace Overlay.Raft.Secrecy;

/// <summary>A key that one member's log is encrypted with. It never leaves the member.</summary>
public sealed class DataKey
{
    public const int Bytes = 32;
    private readonly byte[] secret;

    /// <param name="secret">32 random bytes; copied.</param>
    public DataKey(ReadOnlySpan<byte> secret)
    {
        Invariant.Holds(secret.Length == Bytes, "a data key has 32 bytes");
        this.secret = secret.ToArray();
        // Zero is said of files in the clear.
        Id = BinaryPrimitives.ReadUInt64LittleEndian(Derive("overlayd data key id", default)) | 1;
    }

    /// <summary>What files name it by; says nothing of the key.</summary>
    public ulong Id { get; }

    public ReadOnlySpan<byte> Secret => secret;

    /// <summary>A key for one purpose (HKDF with SHA-256, RFC 5869).</summary>
    public byte[] Derive(string purpose, ReadOnlySpan<byte> salt)
    {
        byte[] derived = new byte[Bytes];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, derived, salt, System.Text.Encoding.ASCII.GetBytes(purpose));
        return derived;
    }
}

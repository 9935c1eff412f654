using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Overlay.Daemon.Storage;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Trust;

/// <summary>
/// The node's private key on disk: PKCS#8, or on a manager of a locked cluster magic 8, data key 8, nonce 12, tag 16 and the
/// PKCS#8 under AES-256-GCM. The key is one derived from the manager's data key, which the unlock key wraps: so there is one
/// place to wrap anew, and a crash leaves nothing that no key opens.
/// </summary>
internal static class NodeKeyFile
{
    public const string FileName = "node.key";
    private const ulong Magic = 0x3159454B_4E564F; // "OVNKEY1" read as little-endian text
    private const int NonceOffset = 16;
    private const int TagOffset = NonceOffset + LogKeys.NonceBytes;
    private const int HeaderBytes = TagOffset + LogKeys.TagBytes;
    private const int MostBytes = 16 << 10;

    /// <param name="keys">Null: in the clear.</param>
    /// <exception cref="StorageWriteException">The file is as it was.</exception>
    public static void Write(string folder, ECDsa key, LogKeys? keys)
    {
        byte[] clear = key.ExportPkcs8PrivateKey();
        DurableFile.WriteAtomically(Path.Combine(folder, FileName), keys is null ? clear : Seal(clear, keys.Current));
        CryptographicOperations.ZeroMemory(clear);
    }

    /// <exception cref="CryptographicException">It does not validate, or its data key is not here.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static ECDsa Read(string folder, LogKeys? keys)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, FileName));
        ECDsa key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(IsSealed(bytes) ? Open(bytes, keys) : bytes, out _);
        return key;
    }

    /// <summary>Number of the data key; 0: it is in the clear, or there is no such file.</summary>
    public static ulong SealedWith(string folder) =>
        DurableFile.Read(Path.Combine(folder, FileName), MostBytes) is { Unreadable: "" } content && IsSealed(content.Bytes.Span)
            ? BinaryPrimitives.ReadUInt64LittleEndian(content.Bytes.Span[8..])
            : 0;

    private static bool IsSealed(ReadOnlySpan<byte> bytes) =>
        bytes.Length > HeaderBytes && BinaryPrimitives.ReadUInt64LittleEndian(bytes) == Magic;

    private static byte[] Seal(byte[] clear, DataKey key)
    {
        byte[] made = new byte[HeaderBytes + clear.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(made, Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(made.AsSpan(8), key.Id);
        RandomNumberGenerator.Fill(made.AsSpan(NonceOffset, LogKeys.NonceBytes));
        using AesGcm cipher = CipherOf(key);
        cipher.Encrypt(
            made.AsSpan(NonceOffset, LogKeys.NonceBytes), clear, made.AsSpan(HeaderBytes), made.AsSpan(TagOffset, LogKeys.TagBytes),
            made.AsSpan(0, NonceOffset));
        return made;
    }

    private static byte[] Open(ReadOnlySpan<byte> bytes, LogKeys? keys)
    {
        DataKey key = keys?.Find(BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]))
            ?? throw new CryptographicException($"{FileName} is encrypted, and its data key is not here");
        byte[] clear = new byte[bytes.Length - HeaderBytes];
        using AesGcm cipher = CipherOf(key);
        cipher.Decrypt(
            bytes.Slice(NonceOffset, LogKeys.NonceBytes), bytes[HeaderBytes..], bytes.Slice(TagOffset, LogKeys.TagBytes), clear,
            bytes[..NonceOffset]);
        return clear;
    }

    private static AesGcm CipherOf(DataKey key) => new(key.Derive("overlayd node key", Encoding.ASCII.GetBytes(FileName)), LogKeys.TagBytes);
}

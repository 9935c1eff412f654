using System.Security.Cryptography;
using System.Text;
using Overlay.Primitives;

namespace Overlay.Raft.Secrecy;

public enum KeyFileVerdict
{
    Open,

    /// <summary>The keys are wrapped, and there is no key-encryption key, or the wrong one.</summary>
    Locked,

    /// <summary>It is not as it was written, or of another member.</summary>
    Damaged,
}

/// <summary>
/// The file of a member's data keys: version 1, locked 1 (0 or 1), keys 1, zero 1, nonce 12, tag 16, the keys of 32 bytes; CRC-32C
/// 4 over all before it and whom it is of. Locked, the keys are encrypted with the cluster's key-encryption key
/// (AES-256-GCM) and useless without. The file is made private before a byte of it is written.
/// </summary>
public static class KeyFileFormat
{
    /// <summary>The one that is written with, and those that older files still need.</summary>
    public const int MostKeys = 8;
    private const int KeysOffset = 32;
    private const byte Version = 1;

    /// <param name="encryptionKey">Of 32 bytes; empty: the file is not locked.</param>
    /// <param name="nonce">New and random for every write.</param>
    public static byte[] Write(LogKeys keys, ReadOnlySpan<byte> encryptionKey, ReadOnlySpan<byte> nonce)
    {
        Invariant.Holds(keys.Keys.Length <= MostKeys, "there are few keys");
        int length = keys.Keys.Length * DataKey.Bytes;
        byte[] bytes = new byte[KeysOffset + length + 4];
        bytes[0] = Version;
        bytes[1] = encryptionKey.IsEmpty ? (byte)0 : (byte)1;
        bytes[2] = (byte)keys.Keys.Length;
        nonce[..LogKeys.NonceBytes].CopyTo(bytes.AsSpan(4));
        for (int i = 0; i < keys.Keys.Length; i++)
        {
            keys.Keys[i].Secret.CopyTo(bytes.AsSpan(KeysOffset + (i * DataKey.Bytes)));
        }

        if (!encryptionKey.IsEmpty)
        {
            using AesGcm cipher = new(encryptionKey, LogKeys.TagBytes);
            byte[] clear = bytes[KeysOffset..(KeysOffset + length)];
            cipher.Encrypt(
                bytes.AsSpan(4, LogKeys.NonceBytes), clear, bytes.AsSpan(KeysOffset, length), bytes.AsSpan(16, LogKeys.TagBytes),
                Owner(keys.Identity));
            CryptographicOperations.ZeroMemory(clear);
        }

        System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(KeysOffset + length), Checksum(bytes, keys.Identity));
        return bytes;
    }

    /// <summary>Whether a file that is no other than one of these says that it is locked.</summary>
    public static bool IsLocked(ReadOnlySpan<byte> bytes) => bytes.Length > 1 && bytes[1] == 1;

    /// <param name="encryptionKey">Empty: there is none.</param>
    /// <param name="keys">Null unless the verdict is <see cref="KeyFileVerdict.Open"/>.</param>
    public static KeyFileVerdict Read(ReadOnlySpan<byte> bytes, LogIdentity identity, ReadOnlySpan<byte> encryptionKey, out LogKeys? keys)
    {
        keys = null;
        int count = bytes.Length > 2 ? bytes[2] : 0;
        int length = count * DataKey.Bytes;
        if (count is 0 or > MostKeys || bytes.Length != KeysOffset + length + 4 || bytes[0] != Version || bytes[1] > 1
            || System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(bytes[(KeysOffset + length)..]) != Checksum(bytes, identity))
        {
            return KeyFileVerdict.Damaged;
        }

        byte[] clear = bytes.Slice(KeysOffset, length).ToArray();
        if (bytes[1] == 1 && !TryUnwrap(bytes, identity, encryptionKey, clear))
        {
            return KeyFileVerdict.Locked;
        }

        keys = new(identity, [.. Enumerable.Range(0, count).Select(i => new DataKey(clear.AsSpan(i * DataKey.Bytes, DataKey.Bytes)))]);
        CryptographicOperations.ZeroMemory(clear);
        return KeyFileVerdict.Open;
    }

    private static bool TryUnwrap(ReadOnlySpan<byte> bytes, LogIdentity identity, ReadOnlySpan<byte> encryptionKey, Span<byte> clear)
    {
        if (encryptionKey.Length != DataKey.Bytes)
        {
            return false;
        }

        using AesGcm cipher = new(encryptionKey, LogKeys.TagBytes);
        try
        {
            cipher.Decrypt(
                bytes.Slice(4, LogKeys.NonceBytes), bytes.Slice(KeysOffset, clear.Length), bytes.Slice(16, LogKeys.TagBytes), clear, Owner(identity));
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes, LogIdentity identity) => Crc32C.Of(bytes[..^4], Crc32C.Of(Owner(identity)));

    private static byte[] Owner(LogIdentity identity) => Encoding.UTF8.GetBytes($"overlayd data keys {identity.Member} {identity.Cluster}");
}

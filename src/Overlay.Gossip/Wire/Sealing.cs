using System.Security.Cryptography;
using Overlay.Primitives;

namespace Overlay.Gossip.Wire;

/// <summary>
/// memberlist's encryption (security.go): AES-GCM with a random 96-bit nonce and a 128-bit tag; version 1 as it is,
/// version 0 padded to the block. A random nonce is unique enough for far more packets than a key sees in its life.
/// </summary>
internal static class Sealing
{
    public const int NonceBytes = 12;
    public const int TagBytes = 16;

    /// <summary>Version byte, nonce and tag.</summary>
    public const int Overhead = 1 + NonceBytes + TagBytes;
    private const byte Plain = 1;
    private const int Block = 16;

    /// <summary>Keys of a ring, with room for those of the ring before it.</summary>
    private const int MaxCiphers = 8;

    /// <summary>
    /// Setting up a cipher costs more than a packet. A cipher is for one thread at a time, and so is this memory of
    /// them; it holds nothing that could change a result.
    /// </summary>
    [ThreadStatic]
    private static List<(byte[] Key, AesGcm Cipher)>? ciphers;

    /// <summary>
    /// The key that opened the last unit: while keys are replaced it is likelier to open the next than the first of the
    /// ring, and a key that does not fit costs an exception.
    /// </summary>
    [ThreadStatic]
    private static byte[]? lastFit;

    public static void Seal(
        ReadOnlySpan<byte> plaintext, byte[] key, ReadOnlySpan<byte> associated, Prng nonces, Span<byte> sealedBytes)
    {
        Invariant.Holds(sealedBytes.Length == plaintext.Length + Overhead, "a sealed unit has its overhead");
        sealedBytes[0] = Plain;
        Span<byte> nonce = sealedBytes.Slice(1, NonceBytes);
        nonces.Fill(nonce);
        CipherOf(key).Encrypt(
            nonce, plaintext, sealedBytes.Slice(1 + NonceBytes, plaintext.Length), sealedBytes[^TagBytes..],
            associated);
    }

    /// <summary>Tries each key of the ring. False: none opens it, and nothing of it is known to be true.</summary>
    public static bool TryOpen(
        ReadOnlySpan<byte> sealedBytes, Keyring keys, ReadOnlySpan<byte> associated, out byte[] plaintext)
    {
        plaintext = new byte[Math.Max(0, sealedBytes.Length - Overhead)];
        bool opened = TryOpen(sealedBytes, keys, associated, plaintext, out int length);
        plaintext = length == plaintext.Length ? plaintext : plaintext[..length];
        return opened;
    }

    /// <summary>The same into memory that is there: as many bytes as were sealed, less the overhead.</summary>
    /// <param name="length">Bytes that were opened; less than the room where they were padded.</param>
    public static bool TryOpen(
        ReadOnlySpan<byte> sealedBytes, Keyring keys, ReadOnlySpan<byte> associated, Span<byte> opened, out int length)
    {
        length = 0;
        if (sealedBytes.Length < Overhead || sealedBytes[0] > Plain)
        {
            return false;
        }

        byte[]? likely = null;
        foreach (byte[] key in keys.Keys)
        {
            likely = ReferenceEquals(key, lastFit) ? key : likely;
        }

        if (likely is not null && TryOpenWith(sealedBytes, likely, associated, opened))
        {
            return TryLength(sealedBytes[0], opened, out length);
        }

        foreach (byte[] key in keys.Keys)
        {
            if (!ReferenceEquals(key, likely) && TryOpenWith(sealedBytes, key, associated, opened))
            {
                lastFit = key;
                return TryLength(sealedBytes[0], opened, out length);
            }
        }

        return false;
    }

    private static bool TryLength(byte version, ReadOnlySpan<byte> opened, out int length)
    {
        length = opened.Length;
        if (version == Plain)
        {
            return true;
        }

        int padding = opened.Length == 0 ? 0 : opened[^1];
        length = padding is 0 or > Block || padding > opened.Length ? 0 : opened.Length - padding;
        return length > 0 || (padding is > 0 and <= Block && padding == opened.Length);
    }

    private static bool TryOpenWith(
        ReadOnlySpan<byte> sealedBytes, byte[] key, ReadOnlySpan<byte> associated, Span<byte> opened)
    {
        try
        {
            CipherOf(key).Decrypt(
                sealedBytes.Slice(1, NonceBytes), sealedBytes[(1 + NonceBytes)..^TagBytes], sealedBytes[^TagBytes..],
                opened, associated);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            // The platform's only way to say that this key does not fit.
            return false;
        }
    }

    private static AesGcm CipherOf(byte[] key)
    {
        ciphers ??= [];
        foreach ((byte[] known, AesGcm cipher) in ciphers)
        {
            if (ReferenceEquals(known, key))
            {
                return cipher;
            }
        }

        if (ciphers.Count == MaxCiphers)
        {
            ciphers[0].Cipher.Dispose();
            ciphers.RemoveAt(0);
        }

        AesGcm made = new(key, TagBytes);
        ciphers.Add((key, made));
        return made;
    }
}

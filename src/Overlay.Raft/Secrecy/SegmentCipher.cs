using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Overlay.Raft.Secrecy;

/// <summary>
/// Encrypts the entries of one segment, each for itself, so that one damaged entry costs no other. The key is of this segment
/// and its salt; the nonce is the entry's offset, where nothing else is ever written: a start begins a new segment, so
/// what a write that did not finish may have left is never written over with the same key.
/// </summary>
public sealed class SegmentCipher : IDisposable
{
    private const int PlaceBytes = 40;
    private readonly AesGcm cipher;
    private readonly byte[] bound;

    internal SegmentCipher(DataKey key, SegmentFormat.Header header, ReadOnlySpan<byte> owner)
    {
        Span<byte> salt = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(salt, header.Salt);
        BinaryPrimitives.WriteUInt64LittleEndian(salt[8..], header.Id);
        cipher = new(key.Derive("overlayd segment", salt), LogKeys.TagBytes);
        bound = new byte[PlaceBytes + owner.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bound, header.Id);
        owner.CopyTo(bound.AsSpan(PlaceBytes));
    }

    /// <summary>The bytes that an entry's data has in a file.</summary>
    public static int BytesOf(int dataLength) => dataLength + LogKeys.TagBytes;

    /// <param name="offset">Where its record begins.</param>
    /// <param name="made">As long as <see cref="BytesOf"/>.</param>
    public void Seal(in LogEntry entry, long offset, Span<byte> made)
    {
        Span<byte> nonce = stackalloc byte[LogKeys.NonceBytes];
        Place(entry, offset, nonce);
        cipher.Encrypt(nonce, entry.Data.Span, made[..entry.Data.Length], made[entry.Data.Length..], bound);
    }

    /// <param name="closed">As it is in the file.</param>
    /// <param name="offset">Where its record begins.</param>
    /// <param name="entry">As it was given.</param>
    public bool TryOpen(in LogEntry closed, long offset, out LogEntry entry)
    {
        entry = default;
        int length = closed.Data.Length - LogKeys.TagBytes;
        if (length < 0)
        {
            return false;
        }

        Span<byte> nonce = stackalloc byte[LogKeys.NonceBytes];
        Place(closed, offset, nonce);
        byte[] data = new byte[length];
        try
        {
            cipher.Decrypt(nonce, closed.Data.Span[..length], closed.Data.Span[length..], data, bound);
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }

        entry = closed with { Data = data };
        return true;
    }

    public void Dispose() => cipher.Dispose();

    private void Place(in LogEntry entry, long offset, Span<byte> nonce)
    {
        nonce.Clear();
        BinaryPrimitives.WriteInt64LittleEndian(nonce, offset);
        BinaryPrimitives.WriteInt64LittleEndian(bound.AsSpan(8), offset);
        BinaryPrimitives.WriteUInt64LittleEndian(bound.AsSpan(16), entry.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(bound.AsSpan(24), entry.Term);
        BinaryPrimitives.WriteUInt64LittleEndian(bound.AsSpan(32), (ulong)entry.Kind);
    }
}

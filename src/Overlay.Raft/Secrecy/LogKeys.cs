using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Overlay.Primitives;

namespace Overlay.Raft.Secrecy;

/// <summary>
/// The data keys of a member's log, the one that is written with first, and what they are bound to: what is encrypted
/// here opens in no other cluster, under no other member, and nowhere else in the log.
/// </summary>
public sealed class LogKeys
{
    /// <summary>AES-256-GCM's nonce and tag (NIST SP 800-38D).</summary>
    public const int NonceBytes = 12;
    public const int TagBytes = 16;

    private readonly byte[] owner;

    public LogKeys(LogIdentity identity, params ReadOnlySpan<DataKey> keys)
    {
        Invariant.Holds(keys.Length > 0, "there is a key to write with");
        Identity = identity;
        Keys = [.. keys];
        byte[] cluster = Encoding.UTF8.GetBytes(identity.Cluster);
        owner = new byte[8 + cluster.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(owner, identity.Member.Value);
        cluster.CopyTo(owner, 8);
    }

    public LogIdentity Identity { get; }

    public ImmutableArray<DataKey> Keys { get; }

    public DataKey Current => Keys[0];

    /// <summary>Null: no key has this number.</summary>
    public DataKey? Find(ulong id) => Keys.FirstOrDefault(key => key.Id == id);

    /// <summary>Of a segment with this header; null: its key is not here.</summary>
    public SegmentCipher? Of(SegmentFormat.Header header) => Find(header.Key) is { } key ? new(key, header, owner) : null;

    /// <summary>Cipher and tag of a snapshot's data.</summary>
    /// <param name="salt">New and random for every snapshot.</param>
    public byte[] SealSnapshot(LogSnapshot snapshot, ulong salt)
    {
        byte[] made = new byte[snapshot.Data.Length + TagBytes];
        using AesGcm cipher = SnapshotCipher(Current, salt);
        cipher.Encrypt(
            stackalloc byte[NonceBytes], snapshot.Data.Span, made.AsSpan(0, snapshot.Data.Length), made.AsSpan(snapshot.Data.Length),
            Bound(snapshot.Index, snapshot.Term, snapshot.FollowedBy));
        return made;
    }

    /// <summary>A snapshot whose data is as it is in its file.</summary>
    public bool TryOpenSnapshot(LogSnapshot snapshot, ulong keyId, ulong salt, out LogSnapshot? opened)
    {
        opened = null;
        int length = snapshot.Data.Length - TagBytes;
        if (length < 0 || Find(keyId) is not { } key)
        {
            return false;
        }

        byte[] data = new byte[length];
        using AesGcm cipher = SnapshotCipher(key, salt);
        try
        {
            cipher.Decrypt(
                stackalloc byte[NonceBytes], snapshot.Data.Span[..length], snapshot.Data.Span[length..], data,
                Bound(snapshot.Index, snapshot.Term, snapshot.FollowedBy));
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }

        opened = snapshot with { Data = data };
        return true;
    }

    /// <summary>Encrypts term and vote in place.</summary>
    /// <param name="nonce">New and random for every write.</param>
    public void SealState(ulong sequence, ReadOnlySpan<byte> nonce, Span<byte> state, Span<byte> tag)
    {
        using AesGcm cipher = new(Current.Derive("overlayd state", default), TagBytes);
        byte[] clear = state.ToArray();
        cipher.Encrypt(nonce, clear, state, tag, Bound(sequence, 0, 0));
    }

    public bool TryOpenState(ulong keyId, ulong sequence, ReadOnlySpan<byte> nonce, Span<byte> state, ReadOnlySpan<byte> tag)
    {
        if (Find(keyId) is not { } key)
        {
            return false;
        }

        using AesGcm cipher = new(key.Derive("overlayd state", default), TagBytes);
        try
        {
            byte[] closed = state.ToArray();
            cipher.Decrypt(nonce, closed, tag, state, Bound(sequence, 0, 0));
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    private static AesGcm SnapshotCipher(DataKey key, ulong salt)
    {
        Span<byte> salted = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(salted, salt);
        return new(key.Derive("overlayd snapshot", salted), TagBytes);
    }

    private byte[] Bound(ulong a, ulong b, ulong c)
    {
        byte[] bound = new byte[24 + owner.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bound, a);
        BinaryPrimitives.WriteUInt64LittleEndian(bound.AsSpan(8), b);
        BinaryPrimitives.WriteUInt64LittleEndian(bound.AsSpan(16), c);
        owner.CopyTo(bound, 24);
        return bound;
    }
}

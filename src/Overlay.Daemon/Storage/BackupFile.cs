using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.V1;

namespace Overlay.Daemon.Storage;

/// <summary>
/// The whole state of a cluster in one file: magic 8, version 4, length of the header 4, header (<see cref="BackupHeader"/>), data
/// (<see cref="StoreSnapshot"/>), SHA-256 of all before it 32. The data of a locked cluster is encrypted with AES-256-GCM, its
/// tag behind it, by a key derived from the unlock key (HKDF with SHA-256); bound to it is everything before the data.
/// </summary>
internal static class BackupFile
{
    public const uint Version = 1;

    /// <summary>So much the agent's API carries.</summary>
    public const int MostBytes = 128 << 20;
    private const int FixedBytes = 16;
    private const int MostHeader = 64 << 10;
    private const int TagBytes = 16;
    private const int NonceBytes = 12;
    private const int DigestBytes = SHA256.HashSizeInBytes;

    private static ReadOnlySpan<byte> Magic => "OVBACKUP"u8;

    /// <param name="about">All but what follows from the data is filled in.</param>
    /// <param name="unlockKey">Empty: the data is in the clear.</param>
    public static byte[] Write(BackupHeader about, StoreSnapshot snapshot, ReadOnlySpan<byte> unlockKey)
    {
        byte[] data = snapshot.ToByteArray();
        about.Locked = !unlockKey.IsEmpty;
        about.DataBytes = (ulong)(data.Length + (about.Locked ? TagBytes : 0));
        about.Nonce = about.Locked ? ByteString.CopyFrom(RandomNumberGenerator.GetBytes(NonceBytes)) : ByteString.Empty;
        byte[] header = about.ToByteArray();
        byte[] file = new byte[FixedBytes + header.Length + (int)about.DataBytes + DigestBytes];
        Magic.CopyTo(file);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(8), Version);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(12), header.Length);
        header.CopyTo(file.AsSpan(FixedBytes));
        Span<byte> place = file.AsSpan(FixedBytes + header.Length);
        if (about.Locked)
        {
            using AesGcm cipher = new(KeyOf(unlockKey), TagBytes);
            cipher.Encrypt(about.Nonce.Span, data, place[..data.Length], place.Slice(data.Length, TagBytes), file.AsSpan(0, FixedBytes + header.Length));
        }
        else
        {
            data.CopyTo(place);
        }

        SHA256.HashData(file.AsSpan(0, file.Length - DigestBytes), file.AsSpan(file.Length - DigestBytes));
        CryptographicOperations.ZeroMemory(data);
        return file;
    }

    /// <summary>What the file says of itself, once it is known to be whole.</summary>
    public static Outcome<BackupHeader> About(ReadOnlySpan<byte> file)
    {
        if (file.Length < FixedBytes || !file.StartsWith(Magic))
        {
            return Refused("It is no backup of an overlayd cluster.", "Name a file that `overlayd backup` made.");
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(file[8..]) is var version && version != Version)
        {
            return Refused(
                $"It is of format {version}, and this overlayd reads format {Version}.", "Restore it with the version of overlayd that made it.");
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(file[12..]);
        if (length is < 0 or > MostHeader || file.Length < FixedBytes + length + DigestBytes)
        {
            return Refused("It ends too early.", "Take another copy of it.");
        }

        BackupHeader about;
        try
        {
            about = BackupHeader.Parser.ParseFrom(file.Slice(FixedBytes, length));
        }
        catch (InvalidProtocolBufferException)
        {
            return Refused("Its header cannot be read.", "Take another copy of it.");
        }

        ulong expected = (ulong)(FixedBytes + length + DigestBytes) + about.DataBytes;
        return (ulong)file.Length < expected
            ? Refused($"It has {file.Length} bytes instead of {expected}: a part of it is missing.", "Take another copy of it.")
            : (ulong)file.Length > expected || !SHA256.HashData(file[..^DigestBytes]).AsSpan().SequenceEqual(file[^DigestBytes..])
                ? Refused("It is not as it was written: its checksum differs.", "Take another copy of it.")
                : about;
    }

    /// <param name="unlockKey">Of a locked one; else not used.</param>
    public static Outcome<StoreSnapshot> Read(ReadOnlySpan<byte> file, ReadOnlySpan<byte> unlockKey)
    {
        if (!About(file).TryGet(out BackupHeader? about, out Refusal? refusal))
        {
            return refusal;
        }

        int start = FixedBytes + BinaryPrimitives.ReadInt32LittleEndian(file[12..]);
        byte[] data = file[start..^DigestBytes].ToArray();
        if (about.Locked && !TryOpen(file[..start], about, unlockKey, ref data))
        {
            return new Refusal(
                RefusalKind.NotPermitted, "Nothing was restored.",
                unlockKey.IsEmpty ? "The backup is of a locked cluster." : "It is not the key that the cluster was locked with when the backup was made.",
                "Give the unlock key of that time: at the prompt, by standard input or --key-file.");
        }

        try
        {
            return StoreSnapshot.Parser.ParseFrom(data);
        }
        catch (InvalidProtocolBufferException)
        {
            return Refused("Its data cannot be read by this version of overlayd.", "Restore it with the version of overlayd that made it.");
        }
    }

    private static bool TryOpen(ReadOnlySpan<byte> bound, BackupHeader about, ReadOnlySpan<byte> unlockKey, ref byte[] data)
    {
        if (unlockKey.Length != UnlockKey.SecretBytes || about.Nonce.Length != NonceBytes || data.Length < TagBytes)
        {
            return false;
        }

        byte[] clear = new byte[data.Length - TagBytes];
        using AesGcm cipher = new(KeyOf(unlockKey), TagBytes);
        try
        {
            cipher.Decrypt(about.Nonce.Span, data.AsSpan(0, clear.Length), data.AsSpan(clear.Length), clear, bound);
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }

        data = clear;
        return true;
    }

    private static byte[] KeyOf(ReadOnlySpan<byte> unlockKey)
    {
        byte[] key = new byte[32];
        HKDF.DeriveKey(HashAlgorithmName.SHA256, unlockKey, key, [], Encoding.ASCII.GetBytes("overlayd backup"));
        return key;
    }

    private static Refusal Refused(string why, string next) => new(RefusalKind.Invalid, "Nothing was restored.", why, next);
}

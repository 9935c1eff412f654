using System.Security.Cryptography;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

/// <summary>A member's data keys, in a file beside what they encrypt. Files of a log are readable by their owner only.</summary>
internal static class DataKeyFile
{
    public const string FileName = "data.key";
    private const int MostBytes = 4096;

    public static LogKeys NewKeys(LogIdentity identity) => new(identity, NewKey());

    public static DataKey NewKey() => new(RandomNumberGenerator.GetBytes(DataKey.Bytes));

    /// <summary>
    /// The keys with a new one to write with. Those that no file of the log needs any more are left out.
    /// </summary>
    /// <param name="needed">Numbers of the keys that files of the log name.</param>
    public static LogKeys Rotated(LogKeys keys, IReadOnlySet<ulong> needed) =>
        new(keys.Identity, [NewKey(), .. keys.Keys.Where(key => needed.Contains(key.Id))]);

    /// <param name="encryptionKey">The cluster's key-encryption key; empty: the file is not locked.</param>
    public static void Write(ILogFolder folder, LogKeys keys, ReadOnlySpan<byte> encryptionKey)
    {
        using (ILogFile file = folder.Create(FileName + LogNames.UnfinishedSuffix))
        {
            file.Write(0, KeyFileFormat.Write(keys, encryptionKey, RandomNumberGenerator.GetBytes(LogKeys.NonceBytes)));
            file.Sync();
        }

        folder.Rename(FileName + LogNames.UnfinishedSuffix, FileName);
        folder.Sync();
    }

    /// <returns>Null: there is no such file.</returns>
    public static KeyFileVerdict? Read(ILogFolder folder, LogIdentity identity, ReadOnlySpan<byte> encryptionKey, out LogKeys? keys)
    {
        keys = null;
        return !folder.Names().Contains(FileName) ? null
            : folder.Read(FileName, MostBytes) is { Unreadable: "" } content
                ? KeyFileFormat.Read(content.Bytes.Span, identity, encryptionKey, out keys)
                : KeyFileVerdict.Damaged;
    }
}

using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Manager;

/// <summary>
/// The one place that opens a manager's log: whose it is, and the data keys that it is encrypted with. Everything that a
/// manager writes is encrypted; a folder of before goes on encrypted with its next segment and snapshot.
/// </summary>
internal static class ManagerStorage
{
    private const string LogFolder = "log";

    public static string FolderOf(string stateFolder) => Path.Combine(stateFolder, LogFolder);

    /// <summary>The log of a manager's folder; a new one where there is none.</summary>
    /// <param name="folder">Owned from here on.</param>
    /// <param name="cluster">Whose member it must be.</param>
    /// <param name="member">Of a folder that has none yet; none: a new one.</param>
    /// <param name="unlockKey">The cluster's key-encryption key; empty: the cluster is not locked.</param>
    /// <param name="extra">Numbers of data keys that files beside the log need.</param>
    /// <param name="allowDamage">As of <see cref="LogOptions.AllowDamage"/>.</param>
    /// <exception cref="StorageSealedException">It is locked, and this is not the key.</exception>
    /// <exception cref="StorageKeyException">There are no keys for it any more.</exception>
    /// <exception cref="StorageCorruptException">Something acknowledged does not validate, or is missing.</exception>
    public static LogStore Open(
        ILogFolder folder, string cluster, MemberId member, byte[] unlockKey, out LogRecovery found, IEnumerable<ulong>? extra = null,
        bool allowDamage = false)
    {
        LogIdentity self;
        LogKeys keys;
        try
        {
            self = ManagerIdentity.Of(folder, cluster, member);
            keys = KeysOf(folder, self, unlockKey, extra ?? []);
        }
        catch
        {
            folder.Dispose();
            throw;
        }

        return LogStore.OpenAs(folder, new() { Identity = self, Keys = keys, AllowDamage = allowDamage }, out found);
    }

    /// <summary>Whether a manager's keys can be had; nothing is changed.</summary>
    /// <param name="unlockKey">Empty: there is none.</param>
    /// <returns>Null: there is no key file, as of a folder of before.</returns>
    public static KeyFileVerdict? TryKeys(ILogFolder folder, string cluster, ReadOnlySpan<byte> unlockKey, out LogKeys? keys) =>
        DataKeyFile.Read(folder, ManagerIdentity.Of(folder, cluster), unlockKey, out keys);

    private static LogKeys KeysOf(ILogFolder folder, LogIdentity self, byte[] unlockKey, IEnumerable<ulong> extra)
    {
        KeyFileVerdict? verdict = DataKeyFile.Read(folder, self, unlockKey, out LogKeys? keys, out bool isWhole);
        if (verdict == KeyFileVerdict.Locked)
        {
            throw new StorageSealedException(folder.Path);
        }

        if (keys is null)
        {
            // Without a file that names a key these are of a start that did not finish, if they are there at all.
            if (DataKeyFile.Named(folder).Count > 0)
            {
                string files = string.Join(" and ", DataKeyFile.FileNames);
                throw new StorageKeyException(folder.Path, verdict is null ? $"{files} are missing" : $"neither of {files} validates");
            }

            keys = DataKeyFile.NewKeys(self);
            Write(folder, keys, unlockKey);
            return keys;
        }

        LogKeys kept = keys.Keys.Length > 1 ? WithoutUnused(folder, keys, extra) : keys;
        if (!isWhole || kept != keys)
        {
            Write(folder, kept, unlockKey);
        }

        return kept;
    }

    /// <summary>The first stays: it is written with.</summary>
    private static LogKeys WithoutUnused(ILogFolder folder, LogKeys keys, IEnumerable<ulong> extra)
    {
        SortedSet<ulong> needed = [keys.Current.Id, .. DataKeyFile.Named(folder), .. extra];
        DataKey[] kept = [.. keys.Keys.Where(key => needed.Contains(key.Id))];
        return kept.Length == keys.Keys.Length ? keys : new(keys.Identity, kept);
    }

    private static void Write(ILogFolder folder, LogKeys keys, byte[] unlockKey)
    {
        try
        {
            DataKeyFile.Write(folder, keys, unlockKey);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StorageWriteException(Path.Combine(folder.Path, DataKeyFile.FileNames[0]), e);
        }
    }
}

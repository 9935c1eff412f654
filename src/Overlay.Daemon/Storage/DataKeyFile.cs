using System.Security.Cryptography;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

/// <summary>
/// A member's data keys beside what they encrypt, in two files of the same: one damaged sector must not cost the log. Both
/// are written before a key that is new is used, so either of them opens everything. Files of a log are readable by their
/// owner only.
/// </summary>
internal static class DataKeyFile
{
    public static readonly IReadOnlyList<string> FileNames = ["data.key", "data-copy.key"];
    private const int MostBytes = 4096;

    public static LogKeys NewKeys(LogIdentity identity) => new(identity, NewKey());

    public static DataKey NewKey() => new(RandomNumberGenerator.GetBytes(DataKey.Bytes));

    /// <summary>
    /// The keys with a new one to write with. Those that no file of the log needs any more are left out.
    /// </summary>
    /// <param name="needed">Numbers of the keys that files of the log name.</param>
    public static LogKeys Rotated(LogKeys keys, IReadOnlySet<ulong> needed) =>
        new(keys.Identity, [NewKey(), .. keys.Keys.Where(key => needed.Contains(key.Id))]);

    /// <summary>The keys that are named by files in the folder, damaged or not.</summary>
    public static SortedSet<ulong> Named(ILogFolder folder)
    {
        SortedSet<ulong> named = [];
        foreach (string name in folder.Names())
        {
            if (LogNames.TryReadSegment(name, out _, out _))
            {
                named.Add(folder.Read(name, SegmentFormat.MaxFileBytes) is { Unreadable: "" } segment
                    && SegmentFormat.TryReadHeader(segment.Bytes.Span, out SegmentFormat.Header header) ? header.Key : 0);
            }
            else if (LogNames.TryReadSnapshot(name, out ulong index))
            {
                named.Add(folder.Read(name, SnapshotFormat.MaxFileBytes) is { Unreadable: "" } content
                    && SnapshotFormat.TryRead(content.Bytes, index, out LogSnapshot? snapshot) ? snapshot!.Key : 0);
            }
            else if (StateFiles.FileNames.Contains(name) && folder.Read(name, StateFormat.FileBytes) is { Unreadable: "" } state)
            {
                named.Add(StateFormat.KeyOf(state.Bytes.Span));
            }
        }

        named.Remove(0);
        return named;
    }

    /// <param name="encryptionKey">The cluster's key-encryption key; empty: the files are not locked.</param>
    public static void Write(ILogFolder folder, LogKeys keys, ReadOnlySpan<byte> encryptionKey)
    {
        foreach (string name in FileNames)
        {
            using (ILogFile file = folder.Create(name + LogNames.UnfinishedSuffix))
            {
                file.Write(0, KeyFileFormat.Write(keys, encryptionKey, RandomNumberGenerator.GetBytes(LogKeys.NonceBytes)));
                file.Sync();
            }

            folder.Rename(name + LogNames.UnfinishedSuffix, name);
            folder.Sync();
        }
    }

    /// <returns>Of the copy that is best; null: there is no such file.</returns>
    public static KeyFileVerdict? Read(ILogFolder folder, LogIdentity identity, ReadOnlySpan<byte> encryptionKey, out LogKeys? keys) =>
        Read(folder, identity, encryptionKey, out keys, out _);

    /// <param name="isWhole">Both copies open with this very key, and hold the same.</param>
    /// <returns>Of the copy that is best; null: there is no such file.</returns>
    public static KeyFileVerdict? Read(
        ILogFolder folder, LogIdentity identity, ReadOnlySpan<byte> encryptionKey, out LogKeys? keys, out bool isWhole)
    {
        keys = null;
        isWhole = true;
        KeyFileVerdict? verdict = null;
        IReadOnlyList<string> present = folder.Names();
        foreach (string name in FileNames)
        {
            LogKeys? found = null;
            FileContent? content = present.Contains(name) ? folder.Read(name, MostBytes) : null;
            KeyFileVerdict? one = content is not { } there ? null
                : there.Unreadable.Length > 0 ? KeyFileVerdict.Damaged
                : KeyFileFormat.Read(there.Bytes.Span, identity, encryptionKey, out found);
            isWhole &= found is not null && KeyFileFormat.IsLocked(content!.Value.Bytes.Span) == !encryptionKey.IsEmpty
                && (keys is null || SameKeys(keys, found));
            keys ??= found;
            verdict = verdict is null || one < verdict ? one : verdict;
        }

        return verdict;
    }

    private static bool SameKeys(LogKeys a, LogKeys b) => a.Keys.Select(static k => k.Id).SequenceEqual(b.Keys.Select(static k => k.Id));
}

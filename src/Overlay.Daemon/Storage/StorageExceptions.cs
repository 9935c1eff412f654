namespace Overlay.Daemon.Storage;

/// <summary>Acknowledged data does not validate, or is missing. Never repaired by guessing.</summary>
/// <param name="folder">The log's; the agent's state is in the one above.</param>
/// <param name="file">A name in it; empty: the folder itself.</param>
/// <param name="fault">With the offset, where there is one.</param>
public sealed class StorageCorruptException(string folder, string file, string fault)
    : IOException(
        $"{(file.Length > 0 ? Path.Combine(folder, file) : folder)} is damaged ({fault}): see what is left "
        + $"with `overlayd store repair`, put a backup of {folder} in its place and type `systemctl restart overlayd`, or, to keep it and begin "
        + $"from a backup of the cluster, `mv {Path.GetDirectoryName(folder)} {Path.GetDirectoryName(folder)}.damaged && systemctl restart overlayd && "
        + "overlayd restore FILE` (without one, `overlayd init`)");

/// <summary>
/// A write or sync failed. It is never tried again: after a failed fsync the kernel may have dropped the data and
/// call the page clean.
/// </summary>
public sealed class StorageWriteException(string file, Exception inner)
    : IOException($"{file} could not be written ({StorageText.Reason(inner)}): make room or repair the disk, then type `systemctl restart overlayd`", inner)
{
    public string File { get; } = file;

    public string Reason { get; } = StorageText.Reason(inner);
}

/// <summary>Another process has the folder open.</summary>
/// <param name="pid">Null: it is not known.</param>
/// <param name="setting">The flag that gives an agent another folder.</param>
public sealed class StorageLockedException(string folder, string? pid, string setting)
    : IOException(
        $"another agent uses {folder}{(pid is null ? "" : $" (pid {pid})")}: stop that one with "
        + $"`{(pid is null ? "systemctl stop overlayd" : $"kill {pid}")}`, or give this one a folder of its own with `overlayd run {setting}`");

/// <summary>
/// What this member voted for or acknowledged is not known, so it must never vote again under its id: it could elect two
/// leaders of one term, or forget what a majority counts on.
/// </summary>
/// <param name="folder">The log's.</param>
/// <param name="file">A name in it; empty: the folder itself.</param>
/// <param name="fault">With the offset, where there is one.</param>
public sealed class MemberLostException(string folder, string file, string fault)
    : IOException(
        $"{(file.Length > 0 ? Path.Combine(folder, file) : folder)} is damaged ({fault}), so this manager cannot know what it has voted for or "
        + "acknowledged: take it out of the cluster and back in as a new one with `overlayd leave --force`, then `overlayd join`");

/// <summary>The folder is another member's, or another cluster's.</summary>
public sealed class StorageForeignException(string folder, Overlay.Raft.LogIdentity found, Overlay.Raft.LogIdentity wanted)
    : IOException(
        $"{folder} is the log of member {found.Member} in cluster {found.Cluster}, not of member {wanted.Member} in cluster {wanted.Cluster}: "
        + "put the right folder in its place, or give this agent one of its own with `overlayd run --state-dir`");

/// <summary>What the log is encrypted with is missing or damaged, so nothing in it can be read.</summary>
/// <param name="folder">The log's.</param>
/// <param name="fault">What is the matter with the key files.</param>
public sealed class StorageKeyException(string folder, string fault)
    : IOException(
        $"the log in {folder} is encrypted, and {fault}: put a backup of {folder} in its place, or take this manager out of the cluster "
        + "and back in as a new one with `overlayd leave --force`, then `overlayd join`; one that was alone begins with "
        + "`overlayd restore` of a backup");

/// <summary>The data keys are wrapped, and no key was given that unwraps them.</summary>
public sealed class StorageSealedException(string folder)
    : IOException($"the log in {folder} is locked: type `overlayd unlock` and give the cluster's unlock key");

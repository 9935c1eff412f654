namespace Overlay.Daemon.Storage;

/// <summary>Acknowledged data does not validate. Never repaired by guessing.</summary>
public sealed class StorageCorruptException(string file, string fault)
    : IOException($"{file} is corrupt ({fault}). Restore the folder from a backup; do not delete the file, it may be needed to repair the log.");

/// <summary>
/// A write or sync failed. It is never tried again: after a failed fsync the kernel may have dropped the data and
/// call the page clean.
/// </summary>
public sealed class StorageWriteException(string file, string reason, Exception inner)
    : IOException($"{file} could not be written: {reason}. Make room or repair the disk, then start the agent again.", inner);

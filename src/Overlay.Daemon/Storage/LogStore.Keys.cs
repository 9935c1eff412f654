using Overlay.Primitives;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

internal sealed partial class LogStore
{
    /// <summary>What the log is written with; null: in the clear.</summary>
    public LogKeys? Keys => options.Keys;

    /// <summary>
    /// Wraps the data keys with another key-encryption key, or with none. With a new data key, what is written from then on
    /// needs that one: whoever has a copy of the disk from before cannot read on.
    /// </summary>
    /// <param name="encryptionKey">Empty: not locked from now on.</param>
    /// <param name="isNew">Begin a new data key, if there is room for one more.</param>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Rekey(byte[] encryptionKey, bool isNew) => Guarded(() =>
    {
        Invariant.Holds(options.Keys is not null, "a log in the clear has no keys");
        LogKeys present = options.Keys!;
        bool renew = isNew && present.Keys.Length < KeyFileFormat.MostKeys;
        LogKeys next = renew ? DataKeyFile.Rotated(present, present.Keys.Select(static k => k.Id).ToHashSet()) : present;
        writing = DataKeyFile.FileNames[0];
        DataKeyFile.Write(folder, next, encryptionKey);
        if (!renew)
        {
            return;
        }

        options = options with { Keys = next };
        states.Use(next);
        mustBeginSegment = true;
        if (states.Current is { } state)
        {
            writing = StateFiles.FileNames[0];
            states.Write(state.Hard);
        }
    });
}

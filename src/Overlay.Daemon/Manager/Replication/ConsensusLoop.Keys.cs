using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>What the log is encrypted with.</summary>
internal sealed partial class ConsensusLoop
{
    /// <summary>Wraps the log's data keys anew, between two writes; the loop ends if that fails.</summary>
    /// <param name="encryptionKey">Empty: with none.</param>
    /// <param name="isNew">A new data key too.</param>
    /// <returns>The keys that the log has now.</returns>
    public Task<LogKeys> RekeyAsync(byte[] encryptionKey, bool isNew)
    {
        TaskCompletionSource<LogKeys> rekeyed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        disk.Pass(() =>
        {
            setup.Log.Rekey(encryptionKey, isNew);
            rekeyed.TrySetResult(setup.Log.Keys!);
        });
        return rekeyed.Task;
    }
}

using System.Security.Cryptography;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Trust;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Manager;

/// <summary>
/// Keeps this manager's disk locked as the cluster wants it: the data keys of its log are wrapped by the unlock key, and the
/// node's private key is encrypted by a data key. Every step leaves files that the old or the new key opens. With every
/// new unlock key comes a new data key, so that a copy of the disk from before does not open what is written later.
/// </summary>
internal sealed partial class LockKeeper(
    ManagerLoop loop, NodeIdentity identity, ManagerLock held, TimeProvider time, ILogger<LockKeeper> logger)
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private volatile TaskCompletionSource done = NewSignal();

    /// <summary>Until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await KeepAsync(cancellationToken);
        }
        catch (RpcException)
        {
            // The store has ended, and tells why itself.
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        }
    }

    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        // What is applied of the log at first may be older than the key that opened it.
        ClusterState state = await ReadAsync(cancellationToken);
        while (true)
        {
            if (state.Cluster is { } cluster)
            {
                await FollowAsync(cluster.UnlockKey.ToByteArray(), cancellationToken);
            }

            state = await loop.WaitForCalmAsync(state.Version, cancellationToken);
        }
    }

    /// <summary>Returns when the disk here opens with this key and no other.</summary>
    public async Task WaitAsync(ReadOnlyMemory<byte> key, CancellationToken cancellationToken)
    {
        while (true)
        {
            TaskCompletionSource next = done;
            if (IsAsWanted(key.Span))
            {
                return;
            }

            await next.Task.WaitAsync(cancellationToken);
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool IsAsWanted(ReadOnlySpan<byte> wanted) =>
        CryptographicOperations.FixedTimeEquals(held.Key, wanted) && identity.Seal != 0 == !wanted.IsEmpty;

    private async Task FollowAsync(byte[] wanted, CancellationToken cancellationToken)
    {
        if (IsAsWanted(wanted))
        {
            return;
        }

        bool isNew = wanted.Length > 0 && !CryptographicOperations.FixedTimeEquals(held.Key, wanted);
        bool wasLocked = held.Key.Length > 0;
        LogKeys keys = await loop.Engine.RekeyAsync(wanted, isNew).WaitAsync(cancellationToken);
        identity.Protect(wanted.Length > 0 ? keys : null);
        held.Key = wanted;
        if (wanted.Length == 0)
        {
            LogOpen();
        }
        else if (wasLocked && isNew)
        {
            LogRekeyed();
        }
        else
        {
            LogLocked();
        }

        TaskCompletionSource finished = done;
        done = NewSignal();
        finished.TrySetResult();
    }

    private async Task<ClusterState> ReadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await loop.ReadAsync(cancellationToken);
            }
            catch (RpcException) when (!loop.Completion.IsCompleted)
            {
                // No majority can be asked now; nothing changes meanwhile.
                await Task.Delay(Retry, time, cancellationToken);
            }
        }
    }

    [LoggerMessage(EventId = 770, Level = LogLevel.Information, Message = "This manager's disk is locked: after a restart it waits for `overlayd unlock`")]
    private partial void LogLocked();

    [LoggerMessage(EventId = 771, Level = LogLevel.Information, Message = "This manager's disk opens with the new unlock key alone")]
    private partial void LogRekeyed();

    [LoggerMessage(EventId = 772, Level = LogLevel.Information, Message = "This manager's disk is no longer locked")]
    private partial void LogOpen();
}

using System.Diagnostics;
using System.Threading.Channels;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// The one owner of the store and its log. Proposals that wait together are computed one after the other against
/// the store's memory, written and synced as one batch, and only then published and answered: nobody sees a state
/// that a crash could undo. A failed write ends the loop and with it the process; it is never tried again. Whoever
/// waits then, or asks later, is told at once.
/// </summary>
internal sealed partial class ManagerLoop : IDisposable
{
    public const int SnapshotEvery = 4096;
    private const int MaxBatch = 256;
    private const int MaxWaiting = 4096;
    private static readonly TimeSpan SettleAfter = TimeSpan.FromSeconds(1);

    private readonly Store store;
    private readonly LogStore log;
    private readonly TimeProvider time;
    private readonly Instruments instruments;
    private readonly ILogger logger;
    private readonly int snapshotEvery;
    private readonly Channel<IManagerWork> waiting = Channel.CreateBounded<IManagerWork>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private readonly Thread thread;
    private readonly TaskCompletionSource finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Published published;
    private volatile Refusal? ended;
    private ulong snapshotDue;

    /// <param name="found">What the log held when it was opened; not kept.</param>
    /// <param name="log">Owned from here on.</param>
    /// <param name="time">The proposer's wall clock.</param>
    /// <param name="instruments">Where commits and syncs are measured.</param>
    /// <param name="logger">Told what recovery found.</param>
    /// <param name="snapshotEvery">Entries from one snapshot to the next.</param>
    /// <exception cref="StorageCorruptException">An entry cannot be read by this version.</exception>
    public ManagerLoop(
        LogRecovery found, LogStore log, TimeProvider time, Instruments instruments, ILogger<ManagerLoop> logger,
        int snapshotEvery = SnapshotEvery)
    {
        this.instruments = instruments;
        this.log = log;
        this.time = time;
        this.logger = logger;
        this.snapshotEvery = snapshotEvery;
        foreach (string note in found.Notes)
        {
            LogFound(note);
        }

        store = StoreRecovery.Recover(found, log.Folder);
        Invariant.Holds(store.Version == log.LastIndex, "the store has applied the whole log");
        snapshotDue = log.SnapshotIndex + (ulong)snapshotEvery;
        published = new(store.State);
        thread = new(Run) { Name = "manager-store", IsBackground = true };
        thread.Start();
    }

    /// <summary>What is durable now.</summary>
    public ClusterState State => published.State;

    /// <summary>Ends with an exception when the log cannot be written: the process must stop.</summary>
    public Task Completion => finished.Task;

    /// <summary>
    /// Computes a transaction against the newest state and makes it durable. A refusal changes nothing. A request id
    /// that was applied before is answered with what that request made, as it is now, or refused if that is gone.
    /// </summary>
    /// <param name="compute">Called on the store's thread; must be quick.</param>
    /// <param name="requestId">Empty: not deduplicated.</param>
    public async Task<Outcome<T>> ProposeAsync<T>(
        Func<Intent, Outcome<Proposal<T>>> compute, string requestId, CancellationToken cancellationToken)
        where T : notnull
    {
        long started = Stopwatch.GetTimestamp();
        ManagerProposal<T> proposal = new(store, compute, requestId);
        await EnqueueAsync(proposal, cancellationToken);
        Outcome<T> outcome = await proposal.Result.WaitAsync(cancellationToken);
        instruments.StoreCommitDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
        return outcome;
    }

    /// <summary>Frees addresses whose quarantine has passed.</summary>
    public Task SweepAsync(CancellationToken cancellationToken) => ProposeAsync<Transaction>(
        static intent =>
        {
            Transaction sweep = intent.SweepQuarantine();
            return new Proposal<Transaction>(sweep, sweep);
        },
        "", cancellationToken);

    /// <summary>Reads the store itself, after everything proposed before.</summary>
    /// <exception cref="Grpc.Core.RpcException">The manager has ended.</exception>
    public async Task<T> QueryAsync<T>(Func<Store, T> read, CancellationToken cancellationToken)
    {
        ManagerQuery<T> query = new(store, read);
        await EnqueueAsync(query, cancellationToken);
        return await query.Result.WaitAsync(cancellationToken);
    }

    /// <summary>What a node may know, whole or since a version.</summary>
    public Task<Assignment> AssignmentForAsync(NodeId node, ulong since, CancellationToken cancellationToken) =>
        QueryAsync(s => AssignmentBuilder.For(s, node, since), cancellationToken);

    /// <summary>Returns when a version above the given one is published.</summary>
    /// <exception cref="Grpc.Core.RpcException">The manager has ended, and no such version will come.</exception>
    public async Task<ClusterState> WaitForChangeAsync(ulong above, CancellationToken cancellationToken)
    {
        while (true)
        {
            Published now = published;
            if (now.State.Version > above)
            {
                return now.State;
            }

            if (ended is { } refusal)
            {
                throw RefusalStatus.ToException(refusal);
            }

            await now.Next.WaitAsync(cancellationToken);
        }
    }

    public void Dispose()
    {
        waiting.Writer.TryComplete();
        thread.Join();
        log.Dispose();
    }

    private async ValueTask EnqueueAsync(IManagerWork work, CancellationToken cancellationToken)
    {
        try
        {
            await waiting.Writer.WriteAsync(work, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            work.Fail(ended ?? ManagerEnd.Stopped);
        }
    }

    private void Run()
    {
        List<IManagerWork> batch = [];
        try
        {
            List<LogEntry> entries = [];
            while (Next(batch))
            {
                Compute(batch, entries);
                if (entries.Count > 0)
                {
                    long started = Stopwatch.GetTimestamp();
                    log.Append(entries);
                    instruments.StoreFsyncDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
                    Publish();
                }

                foreach (IManagerWork work in batch)
                {
                    work.Answer();
                }

                batch.Clear();
                entries.Clear();
                SnapshotIfDue();
            }

            End(ManagerEnd.Stopped);
            finished.TrySetResult();
        }
        catch (Exception e)
        {
            // The end of the loop's world: whoever waits is told, and the process stops.
            LogFailed(e);
            Refusal undecided = ManagerEnd.Undecided(e);
            batch.ForEach(work => work.Fail(undecided));
            End(ManagerEnd.Failed(e));
            finished.TrySetException(e);
        }
    }

    /// <summary>Nothing is taken any more; who still waits is told why.</summary>
    private void End(Refusal why)
    {
        ended = why;
        waiting.Writer.TryComplete();
        while (waiting.Reader.TryRead(out IManagerWork? work))
        {
            work.Fail(why);
        }

        published.Announce();
    }

    private bool Next(List<IManagerWork> batch)
    {
        // A thread of its own may wait; no task of the pool is held.
        ValueTask<bool> ready = waiting.Reader.WaitToReadAsync();
        if (!(ready.IsCompleted ? ready.Result : WaitAndSettle(ready.AsTask())))
        {
            return false;
        }

        while (batch.Count < MaxBatch && waiting.Reader.TryRead(out IManagerWork? work))
        {
            batch.Add(work);
        }

        return true;
    }

    private bool WaitAndSettle(Task<bool> ready)
    {
        if (log.IsUnsettled)
        {
            try
            {
                return ready.WaitAsync(SettleAfter, time).GetAwaiter().GetResult();
            }
            catch (TimeoutException)
            {
                // Nobody waits for this sync.
                log.Settle();
            }
        }

        return ready.GetAwaiter().GetResult();
    }

    private void Compute(List<IManagerWork> batch, List<LogEntry> entries)
    {
        long unixMs = time.GetUtcNow().ToUnixTimeMilliseconds();
        Lazy<string?> shortage = new(() => log.Shortage(), isThreadSafe: false);
        foreach (IManagerWork work in batch)
        {
            if (work.Compute(store.State, unixMs, () => shortage.Value) is { } transaction)
            {
                ulong index = store.Version + 1;
                entries.Add(new(index, 1, transaction.ToByteArray()));
                store.Apply(index, transaction);
            }
        }
    }

    private void Publish()
    {
        Published before = published;
        published = new(store.State);
        before.Announce();
    }

    /// <summary>Takes one when the last is old enough, also if this process wrote little of what is behind it.</summary>
    private void SnapshotIfDue()
    {
        if (store.Version < snapshotDue)
        {
            return;
        }

        byte[] bytes = store.Snapshot().ToByteArray();
        if (log.Shortage(bytes.Length) is { } why)
        {
            // The log goes on without; only its next start takes longer.
            LogNoRoom(why);
            snapshotDue = store.Version + Math.Max(1, (ulong)snapshotEvery / 16);
            return;
        }

        log.SaveSnapshot(new(store.Version, 1, bytes));
        snapshotDue = store.Version + (ulong)snapshotEvery;
    }

    [LoggerMessage(EventId = 701, Level = LogLevel.Critical, Message = "The store cannot go on")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(EventId = 702, Level = LogLevel.Warning, Message = "The log was opened, but: {Note}")]
    private partial void LogFound(string note);

    [LoggerMessage(EventId = 703, Level = LogLevel.Warning, Message = "No snapshot was taken: {Why}")]
    private partial void LogNoRoom(string why);

    private sealed class Published(ClusterState state)
    {
        private readonly TaskCompletionSource next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ClusterState State => state;

        public Task Next => next.Task;

        public void Announce() => next.TrySetResult();
    }
}

using System.Diagnostics;
using System.Threading.Channels;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// The one owner of the store and its log. Proposals that wait together are computed one after the other against
/// the store's memory, written and synced as one batch, and only then published and answered: nobody sees a state
/// that a crash could undo. A failed write ends the process; it is never tried again.
/// </summary>
internal sealed partial class ManagerLoop : IDisposable
{
    private const int MaxBatch = 256;
    private const int MaxWaiting = 4096;
    private const int SnapshotEvery = 4096;

    private readonly Store store;
    private readonly LogStore log;
    private readonly TimeProvider time;
    private readonly Instruments instruments;
    private readonly ILogger logger;
    private readonly Channel<IProposal> proposals = Channel.CreateBounded<IProposal>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private readonly Thread thread;
    private readonly TaskCompletionSource finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Published published;
    private ulong snapshotted;

    public ManagerLoop(
        Store store, LogStore log, TimeProvider time, Instruments instruments, ILogger<ManagerLoop> logger)
    {
        this.instruments = instruments;
        this.store = store;
        this.log = log;
        this.time = time;
        this.logger = logger;
        snapshotted = store.Version;
        published = new(store.State);
        thread = new(Run) { Name = "manager-store", IsBackground = true };
        thread.Start();
    }

    /// <summary>What is durable now.</summary>
    public ClusterState State => published.State;

    /// <summary>Ends with an exception when the log cannot be written: the process must stop.</summary>
    public Task Completion => finished.Task;

    /// <summary>Recovers the store from a log's snapshot and entries.</summary>
    public static Store Recover(LogStore log)
    {
        Store store = log.Snapshot is { } snapshot
            ? Store.FromSnapshot(StoreSnapshot.Parser.ParseFrom(snapshot.Data.Span))
            : new();
        foreach (LogEntry entry in log.Entries)
        {
            if (entry.Index > store.Version)
            {
                store.Apply(entry.Index, Transaction.Parser.ParseFrom(entry.Data.Span));
            }
        }

        return store;
    }

    /// <summary>
    /// Computes a transaction against the newest state and makes it durable. A refusal changes nothing. A request id
    /// that was applied before is answered with what that request made, if it is there still.
    /// </summary>
    /// <param name="compute">Called on the store's thread; must be quick.</param>
    /// <param name="requestId">Empty: not deduplicated.</param>
    public async Task<Outcome<T>> ProposeAsync<T>(
        Func<Intent, Outcome<Proposal<T>>> compute, string requestId, CancellationToken cancellationToken)
        where T : notnull
    {
        long started = Stopwatch.GetTimestamp();
        Pending<T> pending = new(store, compute, requestId);
        await proposals.Writer.WriteAsync(pending, cancellationToken);
        Outcome<T> outcome = await pending.Result.WaitAsync(cancellationToken);
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
    public async Task<T> QueryAsync<T>(Func<Store, T> read, CancellationToken cancellationToken)
    {
        Query<T> query = new(store, read);
        await proposals.Writer.WriteAsync(query, cancellationToken);
        return await query.Result.WaitAsync(cancellationToken);
    }

    /// <summary>What a node may know, whole or since a version.</summary>
    public Task<Assignment> AssignmentForAsync(NodeId node, ulong since, CancellationToken cancellationToken) =>
        QueryAsync(s => AssignmentBuilder.For(s, node, since), cancellationToken);

    /// <summary>Returns when a version above the given one is published.</summary>
    public async Task<ClusterState> WaitForChangeAsync(ulong above, CancellationToken cancellationToken)
    {
        while (true)
        {
            Published now = published;
            if (now.State.Version > above)
            {
                return now.State;
            }

            await now.Next.WaitAsync(cancellationToken);
        }
    }

    public void Dispose()
    {
        proposals.Writer.TryComplete();
        thread.Join();
        log.Dispose();
    }

    private void Run()
    {
        try
        {
            List<IProposal> batch = [];
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

                foreach (IProposal proposal in batch)
                {
                    proposal.Answer();
                }

                SnapshotIfDue();
                batch.Clear();
                entries.Clear();
            }

            finished.TrySetResult();
        }
        catch (Exception e)
        {
            // The end of the loop's world: whoever waits is told, and the process stops.
            LogFailed(e);
            finished.TrySetException(e);
        }
    }

    private bool Next(List<IProposal> batch)
    {
        // A thread of its own may wait; no task of the pool is held.
        ValueTask<bool> ready = proposals.Reader.WaitToReadAsync();
        if (!(ready.IsCompleted ? ready.Result : ready.AsTask().GetAwaiter().GetResult()))
        {
            return false;
        }

        while (batch.Count < MaxBatch && proposals.Reader.TryRead(out IProposal? proposal))
        {
            batch.Add(proposal);
        }

        return true;
    }

    private void Compute(List<IProposal> batch, List<LogEntry> entries)
    {
        long unixMs = time.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (IProposal proposal in batch)
        {
            if (proposal.Compute(store.State, unixMs) is { } transaction)
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

    private void SnapshotIfDue()
    {
        if (store.Version - snapshotted < SnapshotEvery)
        {
            return;
        }

        log.SaveSnapshot(store.Version, 1, store.Snapshot().ToByteArray());
        snapshotted = store.Version;
    }

    [LoggerMessage(EventId = 701, Level = LogLevel.Critical, Message = "The store cannot go on")]
    private partial void LogFailed(Exception exception);

    private sealed class Published(ClusterState state)
    {
        private readonly TaskCompletionSource next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ClusterState State => state;

        public Task Next => next.Task;

        public void Announce() => next.TrySetResult();
    }

    private interface IProposal
    {
        /// <summary>Null: nothing to write.</summary>
        Transaction? Compute(ClusterState state, long unixMs);

        void Answer();
    }

    private sealed class Query<T>(Store store, Func<Store, T> read) : IProposal
    {
        private readonly TaskCompletionSource<T> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T? value;

        public Task<T> Result => result.Task;

        public Transaction? Compute(ClusterState state, long unixMs)
        {
            value = read(store);
            return null;
        }

        public void Answer() => result.TrySetResult(value!);
    }

    private sealed class Pending<T>(Store store, Func<Intent, Outcome<Proposal<T>>> compute, string requestId) : IProposal
        where T : notnull
    {
        private readonly TaskCompletionSource<Outcome<T>> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Outcome<T> outcome;

        public Task<Outcome<T>> Result => result.Task;

        public Transaction? Compute(ClusterState state, long unixMs)
        {
            if (store.VersionOfRequest(requestId) is { } earlier
                && state.ChangedAt(earlier).Select(Inside).OfType<T>().FirstOrDefault() is { } made)
            {
                outcome = made;
                return null;
            }

            Outcome<Proposal<T>> computed = compute(new(state, requestId, unixMs));
            if (computed.Refusal is { } refusal)
            {
                outcome = refusal;
                return null;
            }

            outcome = computed.Value.Result;
            return computed.Value.IsEmpty ? null : computed.Value.Transaction;
        }

        public void Answer() => result.TrySetResult(outcome);

        private static object Inside(StoreObject wrapper) => wrapper.KindCase switch
        {
            StoreObject.KindOneofCase.Cluster => wrapper.Cluster,
            StoreObject.KindOneofCase.Node => wrapper.Node,
            StoreObject.KindOneofCase.Network => wrapper.Network,
            StoreObject.KindOneofCase.Lease => wrapper.Lease,
            _ => wrapper.Reservation,
        };
    }
}

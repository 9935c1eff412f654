using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Manager.Replication;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// The store on a log that managers agree on. A leader computes proposals one after the other against everything that it
/// has proposed, without waiting for what is decided; each is answered when it is, and nobody sees a state that could still
/// be lost. When the log cannot be written the loop ends and with it the process; whoever waits then, or asks later, is
/// told at once.
/// </summary>
internal sealed partial class ManagerLoop : IDisposable
{
    public const int SnapshotEvery = ConsensusSetup.SnapshotEveryEntries;
    private const int MaxWaiting = 4096;
    private static readonly TimeSpan Calm = TimeSpan.FromMilliseconds(20);

    private readonly Store store;
    private readonly MonotonicClock clock;
    private readonly Instruments instruments;
    private readonly ILogger logger;
    private readonly TimeSpan patience;
    private readonly Channel<IManagerWork> waiting = Channel.CreateBounded<IManagerWork>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true });

    private volatile Published published;
    private volatile Leadership leadership = new(default, false);
    private volatile Refusal? ended;

    /// <param name="found">What the log held when it was opened; not kept.</param>
    /// <param name="log">Owned from here on.</param>
    /// <exception cref="StorageCorruptException">An entry cannot be read by this version.</exception>
    public ManagerLoop(LogRecovery found, LogStore log, ManagerSetup setup)
    {
        instruments = setup.Instruments;
        clock = setup.Clock;
        logger = setup.Logger;
        patience = setup.Patience;
        foreach (string note in found.Notes)
        {
            LogFound(note);
        }

        (store, RaftRecovered recovered, ClusterState last) = StoreRecovery.Begin(found, log, setup);
        published = new(store.State);
        Engine = new ConsensusLoop(setup.Engine(new()
        {
            Self = setup.Self,
            Log = log,
            Found = recovered,
            Clock = clock,
            Prng = setup.Prng,
            Instruments = instruments,
            Logger = logger,
            Options = setup.Options,
            SnapshotEvery = setup.SnapshotEvery,
        }));
        engine = Engine;
        // Whom to listen to before anything is decided again: those of the log's end, or who took this one in.
        PeerAddress[] managers = [.. ManagersOf(last.Nodes)];
        engine.Know(managers.Length > 0 ? managers : setup.Seeds);
        Engine.Start(this);
    }

    /// <summary>Ours; only who connects it to others and shows it needs more of it than <see cref="IConsensus"/>.</summary>
    public ConsensusLoop Engine { get; }

    /// <summary>What is decided, as far as this manager has applied it.</summary>
    public ClusterState State => published.State;

    /// <summary>Who leads, as it is now; asked again when it is over.</summary>
    public Leadership Leadership => leadership;

    /// <summary>Ends with an exception when the log cannot be written: the process must stop.</summary>
    public Task Completion => engine.Completion;

    /// <summary>
    /// Computes a transaction against the newest state and has it decided. A refusal changes nothing. A request id
    /// that was applied before is answered with what that request made, as it is now, or refused if that is gone.
    /// </summary>
    /// <param name="compute">Called on the store's thread, again if another manager was faster; must be quick.</param>
    /// <param name="requestId">Empty: not deduplicated.</param>
    public async Task<Outcome<T>> ProposeAsync<T>(
        Func<Intent, Outcome<Proposal<T>>> compute, string requestId, CancellationToken cancellationToken)
        where T : notnull
    {
        long started = Stopwatch.GetTimestamp();
        ManagerProposal<T> proposal = new(compute, requestId);
        await EnqueueAsync(proposal, cancellationToken);
        Outcome<T> outcome = await proposal.Result.WaitAsync(cancellationToken);
        instruments.StoreCommitDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
        return outcome;
    }

    /// <summary>Frees addresses whose quarantine has passed; the leader does it.</summary>
    public Task SweepAsync(CancellationToken cancellationToken) => !engine.View.IsLeader
        ? Task.CompletedTask
        : ProposeAsync<Transaction>(
            static intent =>
            {
                Transaction sweep = intent.SweepQuarantine();
                return new Proposal<Transaction>(sweep, sweep);
            },
            "", cancellationToken);

    /// <summary>Reads the store as this manager has it, after everything proposed here before.</summary>
    /// <exception cref="Grpc.Core.RpcException">The manager has ended.</exception>
    public Task<T> QueryAsync<T>(Func<Store, T> read, CancellationToken cancellationToken) =>
        LookAsync(new ManagerQuery<T>(read, mayBeStale: true), cancellationToken);

    /// <summary>A state with every change that was acknowledged anywhere before the call.</summary>
    /// <exception cref="Grpc.Core.RpcException">No majority of the managers could be asked, or the manager has ended.</exception>
    public Task<ClusterState> ReadAsync(CancellationToken cancellationToken) =>
        LookAsync(new ManagerQuery<ClusterState>(static s => s.State, mayBeStale: false), cancellationToken);

    /// <summary>The whole store, with every change that was acknowledged anywhere before the call.</summary>
    /// <exception cref="Grpc.Core.RpcException">No majority of the managers could be asked, or the manager has ended.</exception>
    public async Task<StoreSnapshot> SnapshotAsync(CancellationToken cancellationToken) =>
        (await LookAsync(new ManagerQuery<Func<StoreSnapshot>>(static s => s.Capture(), mayBeStale: false), cancellationToken))();

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

    /// <summary>As <see cref="WaitForChangeAsync"/>, for whoever does not hurry: what comes close behind it has come, too.</summary>
    public async Task<ClusterState> WaitForCalmAsync(ulong above, CancellationToken cancellationToken)
    {
        await WaitForChangeAsync(above, cancellationToken);
        await Task.Delay(Calm, clock.Time, cancellationToken);
        return State;
    }

    /// <summary>The same, but no longer than the limit.</summary>
    public async Task<ClusterState> WaitForCalmAsync(ulong above, TimeSpan limit, CancellationToken cancellationToken)
    {
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<ClusterState> change = WaitForCalmAsync(above, enough.Token);
        await Task.WhenAny(change, Task.Delay(limit, clock.Time, enough.Token));
        await enough.CancelAsync();
        try
        {
            return await change;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return State;
        }
    }

    public void Dispose()
    {
        waiting.Writer.TryComplete();
        engine.Dispose();
    }

    private async Task<T> LookAsync<T>(ManagerQuery<T> query, CancellationToken cancellationToken)
    {
        await EnqueueAsync(query, cancellationToken);
        return await query.Result.WaitAsync(cancellationToken);
    }

    /// <summary>Answered, or failed, by <see cref="IManagerWork"/>.</summary>
    internal async ValueTask EnqueueAsync(IManagerWork work, CancellationToken cancellationToken)
    {
        try
        {
            await waiting.Writer.WriteAsync(work, cancellationToken);
            engine.Wake();
        }
        catch (ChannelClosedException)
        {
            work.Fail(ended ?? ManagerEnd.Stopped);
        }
    }

    [LoggerMessage(EventId = 702, Level = LogLevel.Warning, Message = "The log was opened, but: {Note}")]
    private partial void LogFound(string note);

    private sealed class Published(ClusterState state)
    {
        private readonly TaskCompletionSource next = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ClusterState State => state;

        public Task Next => next.Task;

        public void Announce() => next.TrySetResult();
    }
}

using System.Collections.Concurrent;
using System.Globalization;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Repair;

namespace Overlay.Daemon.Manager.Repair;

/// <summary>
/// Gets damaged entries of this manager's log back from the others before it takes part again, and answers others that do the
/// same: asks until the log is whole, as <see cref="DamagedLog"/> says. It never gives up: who may have been the only one to
/// have an entry may come back.
/// </summary>
internal sealed partial class LogRepairer : IRepairPeer, IPeerJudge
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SnapshotPause = TimeSpan.FromSeconds(3);

    private readonly Lock gate = new();
    private readonly DamagedLog log;
    private readonly LogMending mending;
    private readonly MonotonicClock clock;
    private readonly ILogger logger;
    private readonly string folder;
    private readonly ConcurrentDictionary<MemberId, string> silent = [];
    private volatile IReadOnlyList<PeerAddress> known;
    private StorageWriteException? failure;
    private bool isOver;
    private Instant fetchAt = new(0);
    private string reported = "";
    private ulong superseded;

    /// <param name="log">Opened with its damage; used by nobody else until <see cref="RunAsync"/> ends.</param>
    /// <param name="known">The other managers.</param>
    public LogRepairer(
        LogStore log, LogRecovery found, PeerSelf self, IReadOnlyList<PeerAddress> known, LogMending mending, MonotonicClock clock,
        ILogger<LogRepairer> logger)
    {
        Self = self;
        folder = log.Folder;
        this.known = known;
        this.mending = mending;
        this.clock = clock;
        this.logger = logger;
        this.log = new(log, found, known.Select(static p => p.Member), new() { Interval = TimeSpan.FromMilliseconds(300) }, clock.Now);
    }

    public PeerSelf Self { get; }

    /// <summary>What came of it, as a sentence.</summary>
    public string Outcome => string.Create(
        CultureInfo.InvariantCulture,
        $"The log of the manager here was damaged and was mended by the others: {log.Restored} entries came back"
        + $"{(log.Adopted > 0 ? $", a snapshot of entry {log.Adopted} took the place of others" : "")}"
        + $"{(log.CutFrom > 0 ? $", what was never decided was cut off from entry {log.CutFrom} on" : "")}. "
        + $"What was damaged is kept in {folder} as *{LogNames.DamagedSuffix}; look after that disk.");

    /// <returns>What the log holds now, without damage.</returns>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    /// <exception cref="InvalidDataException">The cluster was begun anew without this manager.</exception>
    public async Task<LogRecovery> RunAsync(IRepairCalls calls, CancellationToken cancellationToken)
    {
        LogDamaged(log.Found.Damaged[0].First, log.Found.Damaged[^1].Last, log.Peers.Count);
        using CancellationTokenSource ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Dictionary<MemberId, Task> asked = [];
        try
        {
            while (!await ActAsync(calls, ending.Token))
            {
                known = await mending.Peers(ending.Token) is { Count: > 0 } present ? present : known;
                Report();
                Ask(calls, asked, ending.Token);
                await Task.WhenAny([Task.Delay(Pause, clock.Time, ending.Token), .. asked.Values.Where(static t => !t.IsCompleted)]);
                cancellationToken.ThrowIfCancellationRequested();
                foreach (Task broken in asked.Values.Where(static t => t.IsFaulted))
                {
                    await broken;
                }
            }

            LogMended(log.Restored, log.Adopted, log.CutFrom, LogNames.DamagedSuffix);
            return log.Found;
        }
        finally
        {
            lock (gate)
            {
                isOver = true;
            }

            await ending.CancelAsync();
            await Task.WhenAll(asked.Values).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public Task<RepairReply> AnswerAsync(RepairRequest request, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (isOver || failure is not null)
            {
                return Task.FromException<RepairReply>(new RpcException(new(StatusCode.Unavailable, "This manager is about to begin, or to end.")));
            }

            try
            {
                return Task.FromResult(log.Answer(request));
            }
            catch (StorageWriteException e)
            {
                // Nothing is done to this log any more; the run ends with it.
                failure = e;
                return Task.FromException<RepairReply>(new RpcException(new(StatusCode.Unavailable, e.Message)));
            }
        }
    }

    public Task<LogSnapshot?> CaptureAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return Task.FromResult(log.Found.Snapshot);
        }
    }

    public string? FaultOf(MemberId member, NodeId node) => known.Any(peer => peer.Member == member && peer.Node == node)
        ? null
        : $"Node {node} is not member {member} of this cluster's managers, as far as this manager knows.";

    public void Superseded(ulong epoch)
    {
        if (epoch > Self.Epoch)
        {
            Volatile.Write(ref superseded, epoch);
        }
    }

    /// <returns>The log is whole.</returns>
    private async Task<bool> ActAsync(IRepairCalls calls, CancellationToken cancellationToken)
    {
        RepairOutcome outcome;
        lock (gate)
        {
            if (failure is not null)
            {
                throw failure;
            }

            outcome = log.Next(clock.Now);
            if (outcome.Step is RepairStep.Write or RepairStep.Cut)
            {
                log.Write(outcome, clock.Now);
                return log.IsWhole;
            }
        }

        if (Volatile.Read(ref superseded) is > 0 and var epoch)
        {
            throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture,
                $"The log in {folder} is damaged, and this manager is superseded: the cluster was begun anew without it (epoch {epoch}). "
                + $"Type `overlayd leave --force` and join again"));
        }

        if (outcome.Step != RepairStep.TakeSnapshot || clock.Now < fetchAt
            || known.FirstOrDefault(p => p.Member == outcome.Member) is not { Member.IsNone: false } peer)
        {
            return false;
        }

        fetchAt = clock.Now + SnapshotPause;
        try
        {
            LogSnapshot snapshot = await calls.FetchAsync(peer, cancellationToken);
            lock (gate)
            {
                return log.Adopt(snapshot, clock.Now) && log.IsWhole;
            }
        }
        catch (IOException e) when (e is not StorageWriteException)
        {
            silent[peer.Member] = e.Message;
            return false;
        }
    }

    private void Ask(IRepairCalls calls, Dictionary<MemberId, Task> asked, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            foreach (RepairRequest request in log.Advance(clock.Now))
            {
                if (known.FirstOrDefault(p => p.Member == request.To) is { Member.IsNone: false } peer
                    && (!asked.TryGetValue(request.To, out Task? before) || before.IsCompleted))
                {
                    asked[request.To] = AskAsync(calls, peer, request, cancellationToken);
                }
            }
        }
    }

    private async Task AskAsync(IRepairCalls calls, PeerAddress peer, RepairRequest request, CancellationToken cancellationToken)
    {
        try
        {
            RepairReply reply = await calls.AskAsync(peer, request, cancellationToken);
            silent.TryRemove(peer.Member, out _);
            lock (gate)
            {
                log.Receive(reply);
            }
        }
        catch (IOException e)
        {
            // It is asked again.
            silent[peer.Member] = e.Message;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The repair has ended.
        }
    }

    private void Report()
    {
        string why;
        lock (gate)
        {
            why = log.Next(clock.Now) is { Step: RepairStep.Waiting } waiting ? waiting.Why : "a snapshot of another manager is on its way";
        }

        foreach (PeerAddress peer in known)
        {
            why = why.Replace(
                peer.Member.ToString(), silent.TryGetValue(peer.Member, out string? fault) ? $"{peer.Address} ({fault})" : peer.Address,
                StringComparison.Ordinal);
        }

        if (why != reported)
        {
            reported = why;
            LogWaiting(why);
        }

        mending.Report(
            $"its log in {folder} is damaged, and it gets back from the other managers what they have: {why}. If no disk that has it comes "
            + "back, type `overlayd leave --force`, and then `overlayd restore FILE` of a backup; or, if the other managers go on, "
            + "`overlayd node demote` and then `overlayd node promote` for this node on one of them");
    }

    [LoggerMessage(
        EventId = 704, Level = LogLevel.Error,
        Message = "This manager's log is damaged between entries {First} and {Last}: {Peers} other managers are asked for them. It does not vote or "
            + "acknowledge anything until the log is whole")]
    private partial void LogDamaged(ulong first, ulong last, int peers);

    [LoggerMessage(
        EventId = 705, Level = LogLevel.Warning,
        Message = "This manager's log is whole again: {Count} entries came back from the others, a snapshot of entry {Snapshot} was taken (0: none), "
            + "what was never decided was cut off from entry {Cut} on (0: nothing). What was damaged is kept as *{Suffix}; look after that disk")]
    private partial void LogMended(int count, ulong snapshot, ulong cut, string suffix);

    [LoggerMessage(EventId = 706, Level = LogLevel.Warning, Message = "The damaged log waits: {Why}")]
    private partial void LogWaiting(string why);
}

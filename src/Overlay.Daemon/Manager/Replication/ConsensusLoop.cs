using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Agent;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>
/// The dull loop around a <see cref="RaftCore"/>: one thread gives it everything that has come in and the time, and does
/// what it asks for: send, write, apply. It decides nothing.
/// </summary>
internal sealed partial class ConsensusLoop : IConsensus
{
    private const int MaxMessages = 8192;
    private static readonly TimeSpan StopTime = TimeSpan.FromMilliseconds(500);

    private readonly ConsensusSetup setup;
    private readonly MonotonicClock clock;
    private readonly ILogger logger;
    private readonly Prng prng;
    private readonly RaftCore core;
    private readonly ILogThread disk;
    private readonly Lock gate = new();
    private readonly ConcurrentQueue<Action> told = new();
    private readonly List<TaskCompletionSource> idlers = [];

#pragma warning disable CA2213 // It holds nothing as long as nobody asks for its handle, and late news must find it alive.
    private readonly ManualResetEventSlim signal = new(false, spinCount: 0);
#pragma warning restore CA2213
    private readonly TaskCompletionSource finished = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread thread;
    private List<RaftMessage> incoming = [];
    private List<RaftMessage> taken = [];
    private RaftEffects effects = new();
    private RaftEffects spare = new();
    private IStateMachine machine = null!;
    private volatile Shown view;
    private volatile Raft.Configuration configuration;
    private volatile bool stopping;
    private ulong completed;

    public ConsensusLoop(ConsensusSetup setup)
    {
        this.setup = setup;
        clock = setup.Clock;
        logger = setup.Logger;
        prng = setup.Prng;
        core = new(setup.Options, setup.Self.Member, setup.Found, prng, clock.Now);
        lastApplied = new(setup.Found.Applied, core.TermAt(setup.Found.Applied));
        lastSnapshot = setup.Found.Snapshot.Index;
        snapshotDue = lastSnapshot + (ulong)setup.SnapshotEvery;
        view = new(ViewNow());
        configuration = core.Configuration;
        disk = setup.Disk?.Invoke(signal.Set) ?? new LogThread(setup.Log, clock.Time, setup.Instruments, logger, signal.Set);
        thread = new(Run) { Name = "raft", IsBackground = true };
    }

    public EngineView View => view.Value;

    public Task Completion => finished.Task;

    /// <summary>For who drives the loop itself, and watches it.</summary>
    internal RaftCore Core => core;

    /// <summary>When the next <see cref="Turn"/> is due, if nothing comes before.</summary>
    /// <remarks>Alone there is nobody to remind of anything, and nobody else to lead.</remarks>
    internal Instant NextTurn => signal.IsSet ? clock.Now
        : Instant.Min(IsAlone && core.Role == RaftRole.Leader ? Instant.Never : core.NextDeadline, campaignAt);

    private bool IsQuiet =>
        machine.IsIdle && !snapshotting && core.DurableIndex == core.LastIndex && core.AppliedIndex == core.CommitIndex
        && (!IsAlone || core.Role == RaftRole.Leader);

    private bool IsAlone => core.Configuration.Members is [var only] && only == core.Self;

    public void Start(IStateMachine stateMachine)
    {
        machine = stateMachine;
        if (setup.HasThread)
        {
            thread.Start();
        }
    }

    public ProposeOutcome Propose(ReadOnlyMemory<byte> command) => core.Propose(command);

    public void Read(ulong context) => core.Read(context, clock.Now, effects);

    public void Wake() => signal.Set();

    public string? Shortage() => disk.Shortage();

    /// <summary>Returns when nothing is written, applied or saved any more.</summary>
    public Task IdleAsync()
    {
        TaskCompletionSource idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
        disk.Pass(() => Tell(() => idlers.Add(idle)));
        return idle.Task;
    }

    /// <summary>For operators.</summary>
    public Task<RaftStatus> StatusAsync(CancellationToken cancellationToken = default)
    {
        TaskCompletionSource<RaftStatus> shown = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Tell(() => shown.TrySetResult(core.Status()));
        return shown.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Another member leads, if there is one that can; before the ways to it are closed.</summary>
    public async Task HandOverAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource<bool> begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Tell(() => begun.TrySetResult(HandOver()));
        try
        {
            bool isBegun = await begun.Task.WaitAsync(cancellationToken);
            while (isBegun && View.IsLeader && !finished.Task.IsCompleted)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(2), clock.Time, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The others find a leader by themselves, a little later.
        }
    }

    /// <summary>Another member is to lead; it does so soon, or not at all.</summary>
    public void TransferTo(MemberId member) => Tell(() => core.TransferTo(member, clock.Now, effects));

    /// <summary>Changes who is a member; the answer tells only whether it was taken into the log.</summary>
    public Task<ProposeOutcome> ChangeAsync(ImmutableArray<MemberChange> changes, CancellationToken cancellationToken = default)
    {
        TaskCompletionSource<ProposeOutcome> outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Tell(() => outcome.TrySetResult(core.ProposeConfiguration(changes.AsSpan())));
        return outcome.Task.WaitAsync(cancellationToken);
    }

    public void Dispose()
    {
        if (stopping)
        {
            return;
        }

        stopping = true;
        signal.Set();
        if (thread.ThreadState.HasFlag(ThreadState.Unstarted))
        {
            finished.TrySetResult();
        }
        else
        {
            thread.Join();
        }

        sending.Cancel();
        disk.Dispose();
        sending.Dispose();
    }

    /// <summary>Done by the loop's thread, soon.</summary>
    private void Tell(Action action)
    {
        told.Enqueue(action);
        signal.Set();
    }

    private void Run()
    {
        try
        {
            Begin();
            Instant? stopAt = null;
            while (!stopping || !MayStop(ref stopAt))
            {
                WaitForInput(stopAt);
                Turn();
            }

            machine.End(null);
            finished.TrySetResult();
        }
        catch (Exception e)
        {
            // The end of the loop's world: whoever waits is told, and the process stops.
            LogFailed(e);
            machine.End(e);
            finished.TrySetException(e);
        }
    }

    /// <summary>Before the first <see cref="Turn"/>.</summary>
    internal void Begin()
    {
        if (IsAlone)
        {
            core.Campaign(clock.Now, effects);
        }

        machine.RoleChanged(View);
        Settle();
    }

    /// <summary>Everything that has come in, and what follows from it.</summary>
    internal void Turn()
    {
        signal.Reset();
        Drain();
        machine.Turn();
        Settle();
    }

    /// <summary>What was taken is finished, if that takes no longer than it may.</summary>
    private bool MayStop(ref Instant? stopAt)
    {
        stopAt ??= clock.Now + StopTime;
        return machine.IsIdle || clock.Now >= stopAt;
    }

    private void WaitForInput(Instant? stopAt)
    {
        Instant until = Instant.Min(NextTurn, stopAt is null ? Instant.Never : clock.Now + TimeSpan.FromMilliseconds(5));
        if (until == Instant.Never)
        {
            signal.Wait();
        }
        else if (until - clock.Now is { Ticks: > 0 } pause)
        {
            signal.Wait(pause + TimeSpan.FromMilliseconds(1));
        }
    }

    private void Drain()
    {
        if (disk.Failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        Instant now = clock.Now;
        if (disk.Completed is var done && done > completed)
        {
            completed = done;
            core.Completed(done, now, effects);
        }

        for (int count = told.Count; count > 0 && told.TryDequeue(out Action? action); count--)
        {
            action();
        }

        lock (gate)
        {
            (incoming, taken) = (taken, incoming);
        }

        foreach (ref readonly RaftMessage message in CollectionsMarshal.AsSpan(taken))
        {
            core.Receive(message, now, effects);
        }

        taken.Clear();
        CampaignIfDue(now);
    }

    /// <summary>Until the core asks for nothing more.</summary>
    private void Settle()
    {
        core.Advance(clock.Now, effects);
        while (!effects.IsEmpty)
        {
            (RaftEffects current, effects, spare) = (effects, spare, effects);
            Perform(current);
            current.Clear();
            core.Advance(clock.Now, effects);
        }

        if (idlers.Count > 0 && IsQuiet)
        {
            idlers.ForEach(static i => i.TrySetResult());
            idlers.Clear();
        }
    }

    /// <returns>Whether there is somebody to hand over to.</returns>
    private bool HandOver()
    {
        MemberId heir = core.Role != RaftRole.Leader ? MemberId.None : core.Status().Members
            .Where(m => m.Member != core.Self && !m.IsLearner && m.RecentlyActive)
            .OrderByDescending(static m => m.Match).Select(static m => m.Member).FirstOrDefault();
        return !heir.IsNone && core.TransferTo(heir, clock.Now, effects);
    }

    private EngineView ViewNow() => new(core.Self, core.Role, core.Term, core.Leader, IsAlone);

    [LoggerMessage(EventId = 701, Level = LogLevel.Critical, Message = "The store cannot go on")]
    private partial void LogFailed(Exception exception);

    private sealed record Shown(EngineView Value);
}

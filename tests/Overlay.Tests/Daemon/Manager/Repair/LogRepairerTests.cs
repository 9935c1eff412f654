using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Manager.Repair;
using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Daemon.Manager.Repair;

/// <summary>A manager with a damaged log asks the others until it is whole, and answers those that do the same.</summary>
public sealed class LogRepairerTests
{
    private static readonly PeerAddress Second = new(DamagedFolder.Second, new(2), "192.0.2.2:2377");
    private static readonly PeerAddress Third = new(DamagedFolder.Third, new(3), "192.0.2.3:2377");
    private static readonly PeerSelf Self = new(DamagedFolder.Cluster, DamagedFolder.Self, 1);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Entries_come_back_from_the_only_one_that_answers()
    {
        using Run run = new(Damaged(4, 9));
        run.Calls.Answers[DamagedFolder.Third] = request => FakeCalls.Of(10).Answer(request, 2, isLeader: false);
        LogRecovery whole = await run.EndAsync();
        Assert.Equal(DamagedFolder.TextsTo(10), DamagedFolder.Texts(whole));
        Assert.Contains("2 entries came back", run.Repairer.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_waits_for_whom_it_needs_and_says_so()
    {
        using Run run = new(Damaged(8));
        run.Calls.Answers[DamagedFolder.Second] = request => new(
            request.To, request.From, 2, false, default,
            [.. request.Asks.Select(static ask => new RepairAnswer(RepairFate.Damaged, new(ask.Index, 2, default)))]);
        Task<LogRecovery> running = run.RunAsync();
        await run.PassAsync(() => run.Said.Contains("192.0.2.3:2377 (it is off)", StringComparison.Ordinal));
        Assert.Contains("entry 8 of term 2 is damaged here", run.Said, StringComparison.Ordinal);
        Assert.Contains("`overlayd restore FILE`", run.Said, StringComparison.Ordinal);
        Assert.False(running.IsCompleted);

        run.Calls.Answers[DamagedFolder.Third] = run.Calls.Answers[DamagedFolder.Second];
        await run.PassAsync(() => run.Said.Contains("no other manager has it whole", StringComparison.Ordinal));
        Assert.False(running.IsCompleted);

        run.Calls.Answers[DamagedFolder.Third] = request => FakeCalls.Of(10).Answer(request, 2, isLeader: false);
        await run.PassAsync(() => running.IsCompleted);
        Assert.Equal(DamagedFolder.TextsTo(10), DamagedFolder.Texts(await running));
    }

    [Fact]
    public async Task What_one_of_two_others_never_had_is_not_cut_off()
    {
        using Run run = new(Damaged(10));
        run.Calls.Answers[DamagedFolder.Second] = request => FakeCalls.Of(9).Answer(request, 3, isLeader: false);
        Task<LogRecovery> running = run.RunAsync();
        await run.PassAsync(() => run.Calls.Asked > 20);
        Assert.False(running.IsCompleted);

        // A term below the fence: it may still acknowledge to a leader that counted this one.
        run.Calls.Answers[DamagedFolder.Third] = request => FakeCalls.Of(9).Answer(request, request.Fence - 1, isLeader: false);
        int asked = run.Calls.Asked;
        await run.PassAsync(() => run.Calls.Asked > asked + 20);
        Assert.False(running.IsCompleted);

        run.Calls.Answers[DamagedFolder.Third] = request => FakeCalls.Of(9).Answer(request, request.Fence, isLeader: false);
        await run.PassAsync(() => running.IsCompleted);
        Assert.Equal(DamagedFolder.TextsTo(9), DamagedFolder.Texts(await running));
        Assert.Contains("cut off from entry 10 on", run.Repairer.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Behind_everybodys_snapshot_one_is_fetched()
    {
        using Run run = new(Damaged(4));
        run.Calls.Answers[DamagedFolder.Second] = static request => new(
            request.To, request.From, 2, true, new(6, 2),
            [.. request.Asks.Select(static ask => new RepairAnswer(RepairFate.Covered, new(ask.Index, 0, default)))]);
        run.Calls.Snapshot = new(6, 2, new byte[] { 6 }) { Configuration = DamagedFolder.Three };
        LogRecovery whole = await run.EndAsync();
        Assert.Equal((6ul, 10ul), (whole.Snapshot!.Index, whole.LastIndex));
        Assert.Contains("a snapshot of entry 6", run.Repairer.Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_that_are_damaged_at_different_entries_mend_each_other()
    {
        using Run run = new(Damaged(4));
        using LogStore log = LogStore.OpenAs(
            new ModelFolder(Damaged(9)), new() { Identity = new(DamagedFolder.Cluster, DamagedFolder.Self), AllowDamage = true },
            out LogRecovery found);
        DamagedLog other = new(log, found, [DamagedFolder.Self], new(), new(0));
        run.Calls.Answers[DamagedFolder.Second] = other.Answer;
        LogRecovery whole = await run.EndAsync();
        Assert.Equal(DamagedFolder.TextsTo(10), DamagedFolder.Texts(whole));
        Assert.Equal(3ul, log.State.Term);
    }

    [Fact]
    public async Task It_answers_others_while_it_waits_and_nobody_afterwards()
    {
        using Run run = new(Damaged(8));
        RepairRequest question = new(DamagedFolder.Second, DamagedFolder.Self, 7, [new(7, 2), new(8, 2), new(11, 2)]);
        RepairReply told = await run.Repairer.AnswerAsync(question, Cancelled);
        Assert.Equal([RepairFate.Whole, RepairFate.Damaged, RepairFate.Never], told.Answers.Select(static a => a.Fate));
        Assert.Equal((7ul, false), (told.Term, told.IsLeader));
        Assert.Equal(7ul, run.Log.State.Term);
        Assert.True(run.Log.State.Vote.IsNone);
        Assert.Null(run.Repairer.FaultOf(DamagedFolder.Second, new(2)));
        Assert.NotNull(run.Repairer.FaultOf(DamagedFolder.Second, new(3)));
        run.Calls.Answers[DamagedFolder.Third] = request => FakeCalls.Of(10).Answer(request, 7, isLeader: false);
        await run.EndAsync();
        await Assert.ThrowsAsync<RpcException>(() => run.Repairer.AnswerAsync(question, Cancelled));
    }

    [Fact]
    public async Task A_manager_of_an_epoch_before_does_not_go_on()
    {
        using Run run = new(Damaged(8));
        run.Repairer.Superseded(2);
        InvalidDataException why = await Assert.ThrowsAsync<InvalidDataException>(() => run.RunAsync());
        Assert.Contains("`overlayd leave --force`", why.Message, StringComparison.Ordinal);
    }

    private static SortedDictionary<string, ReadOnlyMemory<byte>> Damaged(params ulong[] indexes) => DamagedFolder.Damaged(indexes);

    /// <summary>A repair with time of its own.</summary>
    private sealed class Run : IDisposable
    {
        private readonly ManualTime time = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
        private volatile string said = "";
        private Task<LogRecovery>? running;

        public Run(SortedDictionary<string, ReadOnlyMemory<byte>> files)
        {
            Log = DamagedFolder.Open(new(files), out LogRecovery found);
            Repairer = new(
                Log, found, Self, [Second, Third], new(static _ => Task.FromResult<IReadOnlyList<PeerAddress>>([Second, Third]), why => said = why),
                new(time), NullLogger<LogRepairer>.Instance);
        }

        public LogStore Log { get; }

        public LogRepairer Repairer { get; }

        public FakeCalls Calls { get; } = new();

        public string Said => said;

        public Task<LogRecovery> RunAsync() => running = Repairer.RunAsync(Calls, Cancelled);

        public async Task<LogRecovery> EndAsync()
        {
            _ = RunAsync();
            await PassAsync(static () => false);
            return await running!;
        }

        /// <summary>Time goes on until something holds, or the repair has ended.</summary>
        public async Task PassAsync(Func<bool> until)
        {
            using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
            for (int i = 0; !until() && !running!.IsCompleted; i++)
            {
                Assert.True(i < 10_000, "it comes to an end");
                await Task.WhenAny(time.PassToNextTimerAsync(enough.Token), running);
            }

            await enough.CancelAsync();
        }

        public void Dispose()
        {
            Log.Dispose();
            time.Dispose();
        }
    }

    /// <summary>Others, by way of the contract's messages.</summary>
    private sealed class FakeCalls : IRepairCalls
    {
        private int asked;

        public System.Collections.Concurrent.ConcurrentDictionary<MemberId, Func<RepairRequest, RepairReply>> Answers { get; } = [];

        public LogSnapshot? Snapshot { get; set; }

        public int Asked => Volatile.Read(ref asked);

        public static RepairSource Of(ulong last)
        {
            TermHistory terms = new();
            RepairSource source = new(default, terms);
            for (ulong index = 1; index <= last; index++)
            {
                terms.Add(index, 2);
                source.Add(DamagedFolder.Entry(index));
            }

            return source;
        }

        public Task<RepairReply> AskAsync(PeerAddress peer, RepairRequest request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref asked);
            Assert.True(RepairWire.TryRead(RepairWire.Write(request, Self), out RepairRequest read));
            Assert.Equal(request.Asks.AsEnumerable(), read.Asks);
            if (!Answers.TryGetValue(peer.Member, out Func<RepairRequest, RepairReply>? answer))
            {
                return Task.FromException<RepairReply>(new IOException("it is off"));
            }

            Assert.True(RepairWire.TryRead(RepairWire.Write(answer(read)), peer.Member, DamagedFolder.Self, out RepairReply? reply));
            return Task.FromResult(reply!);
        }

        public Task<LogSnapshot> FetchAsync(PeerAddress peer, CancellationToken cancellationToken) =>
            Snapshot is { } there ? Task.FromResult(there) : Task.FromException<LogSnapshot>(new IOException("there is none"));
    }
}

using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Manager.Replication;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>The store as the engine drives it; everything here runs on the engine's thread.</summary>
internal sealed partial class ManagerLoop : IStateMachine
{
    private const int MaxBatch = 256;
    private const int MaxTransactionBytes = 4 << 20;

    /// <summary>How long a change may be undecided after its leader has lost its place.</summary>
    private static readonly TimeSpan UndecidedFor = TimeSpan.FromSeconds(10);

#pragma warning disable CA1859 // The narrow view on purpose: another engine may stand in.
    private readonly IConsensus engine;
#pragma warning restore CA1859

    /// <summary>Taken, and waiting for a leader.</summary>
    private readonly Queue<(IManagerWork Work, Instant Since)> held = [];

    /// <summary>In the log, or computed against what is, and not decided.</summary>
    private readonly Queue<Undecided> undecided = [];

    private readonly SortedDictionary<ulong, (IManagerWork Work, Instant Since, ulong? Index)> reads = [];
    private readonly List<IManagerWork> answers = [];
    private Speculation? speculation;
    private EngineView view;
    private Instant lostAt = Instant.Never;
    private SnapshotMark lastProposed;
    private ulong applied;
    private ulong lastRead;

    public ulong Hash => store.Hash;

    public bool IsIdle => held.Count == 0 && undecided.Count == 0 && reads.Count == 0 && !waiting.Reader.TryPeek(out _);

    public void Turn()
    {
        Instant now = clock.Now;
        FailUndecided(now);
        if (speculation is not null)
        {
            TakeAll(now);
        }
        else
        {
            HoldAll(now);
        }
    }

    public void RoleChanged(EngineView now)
    {
        if (!now.IsLeader || now.Term != view.Term)
        {
            // Whoever leads next decides what becomes of what is open.
            speculation = null;
            lostAt = undecided.Count > 0 ? clock.Now : Instant.Never;
        }

        view = now;
    }

    public void Apply(in LogEntry entry)
    {
        if (entry.Kind == EntryKind.Data)
        {
            uint checksum = Crc32C.Of(entry.Data.Span);
            if (speculation is { Open: > 0 })
            {
                speculation.Confirm(entry.Index, checksum);
            }
            else
            {
                store.Apply(entry.Index, StoreRecovery.Parse(entry), checksum);
            }
        }

        while (undecided.TryPeek(out Undecided first) && first.Index <= entry.Index)
        {
            undecided.Dequeue();
            if (first.Index == entry.Index && first.Term == entry.Term)
            {
                answers.Add(first.Work);
            }
            else
            {
                // Another entry is in its place: it was never decided, and never will be.
                held.Enqueue((first.Work, clock.Now));
            }
        }

        if (speculation is null && view.IsLeader && entry.Term == view.Term)
        {
            // All that earlier leaders left is applied now.
            speculation = new(store);
            lostAt = Instant.Never;
            engine.Wake();
        }
    }

    public void Applied(ulong index)
    {
        applied = index;
        Publish();
        AnswerReads();
        foreach (IManagerWork work in answers)
        {
            work.Answer(store);
        }

        answers.Clear();
    }

    public void Restore(LogSnapshot snapshot)
    {
        store.Restore(StoreSnapshot.Parser.ParseFrom(snapshot.Data.Span));
        while (undecided.TryPeek(out Undecided first) && first.Index <= snapshot.Index)
        {
            undecided.Dequeue();
            if (first.Work.IsRead || store.VersionOfRequest(first.Work.RequestId) is not null)
            {
                held.Enqueue((first.Work, clock.Now));
            }
            else
            {
                first.Work.Fail(ManagerEnd.UndecidedWithoutLeader);
            }
        }
    }

    public Func<byte[]> Capture()
    {
        Func<StoreSnapshot> capture = store.Capture();
        return () => capture().ToByteArray();
    }

    public void Answer(in ReadResult read)
    {
        if (!reads.Remove(read.Context, out (IManagerWork Work, Instant Since, ulong? Index) asked))
        {
            return;
        }

        if (read.Lost)
        {
            held.Enqueue((asked.Work, asked.Since));
        }
        else if (read.Index <= applied)
        {
            asked.Work.Answer(store);
        }
        else
        {
            reads[read.Context] = asked with { Index = read.Index };
        }
    }

    public void End(Exception? cause)
    {
        Refusal open = cause is null ? ManagerEnd.UndecidedAtStop : ManagerEnd.Undecided(cause);
        Refusal why = cause is null ? ManagerEnd.Stopped : ManagerEnd.Failed(cause);
        ended = why;
        waiting.Writer.TryComplete();
        answers.ForEach(work => work.Fail(open));
        foreach (Undecided one in undecided)
        {
            one.Work.Fail(open);
        }

        foreach ((IManagerWork work, _, _) in reads.Values)
        {
            work.Fail(why);
        }

        foreach ((IManagerWork work, _) in held)
        {
            work.Fail(why);
        }

        while (waiting.Reader.TryRead(out IManagerWork? work))
        {
            work.Fail(why);
        }

        published.Announce();
    }

    private void TakeAll(Instant now)
    {
        long unixMs = clock.UnixMs;
        Lazy<string?> shortage = new(engine.Shortage, isThreadSafe: false);
        for (int count = 0; count < MaxBatch && speculation is not null && TryNext(now, out (IManagerWork Work, Instant Since) next); count++)
        {
            if (!Take(next.Work, next.Since, unixMs, () => shortage.Value))
            {
                held.Enqueue(next);
                return;
            }
        }

        if (held.Count > 0 || waiting.Reader.TryPeek(out _))
        {
            engine.Wake();
        }
    }

    private bool TryNext(Instant now, out (IManagerWork Work, Instant Since) next)
    {
        if (held.TryDequeue(out next))
        {
            return true;
        }

        bool read = waiting.Reader.TryRead(out IManagerWork? work);
        next = (work!, now);
        return read;
    }

    /// <returns>False: not now.</returns>
    private bool Take(IManagerWork work, Instant since, long unixMs, Func<string?> shortage)
    {
        if (work.Compute(speculation!, unixMs, shortage) is not { } transaction)
        {
            Follow(work, since);
            return true;
        }

        byte[] bytes = transaction.ToByteArray();
        if (bytes.Length > MaxTransactionBytes)
        {
            work.Fail(ManagerEnd.TooLong(bytes.Length, MaxTransactionBytes));
            return true;
        }

        ProposeOutcome outcome = engine.Propose(bytes);
        if (outcome.IsAccepted)
        {
            speculation!.Propose(outcome.Index, transaction);
            lastProposed = new(outcome.Index, outcome.Term);
            undecided.Enqueue(new(outcome.Index, outcome.Term, work));
        }

        return outcome.IsAccepted;
    }

    /// <summary>Answered when what it was computed against is decided, by whoever leads then.</summary>
    private void Follow(IManagerWork work, Instant since)
    {
        if (speculation is { Open: > 0 })
        {
            undecided.Enqueue(new(lastProposed.Index, lastProposed.Term, work));
        }
        else if (view.IsAlone || work.MayBeStale)
        {
            work.Answer(store);
        }
        else
        {
            AskLeader(work, since);
        }
    }

    private void AskLeader(IManagerWork work, Instant since)
    {
        reads[++lastRead] = (work, since, null);
        engine.Read(lastRead);
    }

    private void HoldAll(Instant now)
    {
        while (held.Count < MaxBatch && waiting.Reader.TryRead(out IManagerWork? work))
        {
            held.Enqueue((work, now));
        }

        for (int count = held.Count; count > 0; count--)
        {
            (IManagerWork work, Instant since) = held.Dequeue();
            bool knowsLeader = !view.Leader.IsNone && !view.IsLeader;
            if (work.IsRead && work.MayBeStale)
            {
                work.Answer(store);
            }
            else if (now - since > patience)
            {
                work.Fail(ManagerEnd.NoQuorum(engine.Quorum));
            }
            else if (work.IsRead && knowsLeader)
            {
                AskLeader(work, since);
            }
            else if (knowsLeader)
            {
                work.Fail(ManagerEnd.NotLeader(engine.AddressOf(view.Leader)));
            }
            else
            {
                held.Enqueue((work, since));
            }
        }
    }

    private void FailUndecided(Instant now)
    {
        if (lostAt == Instant.Never || now - lostAt < UndecidedFor)
        {
            return;
        }

        lostAt = Instant.Never;
        while (undecided.TryDequeue(out Undecided one))
        {
            one.Work.Fail(ManagerEnd.UndecidedWithoutLeader);
        }
    }

    private void AnswerReads()
    {
        if (reads.Count == 0)
        {
            return;
        }

        foreach ((ulong context, (IManagerWork work, _, ulong? index)) in reads.ToArray())
        {
            if (index <= applied)
            {
                reads.Remove(context);
                work.Answer(store);
            }
        }
    }

    private void Publish()
    {
        Published before = published;
        if (before.State == store.State)
        {
            return;
        }

        published = new(store.State);
        if (ManagersOf(store.State) is var managers && managers.Any())
        {
            engine.Know(managers);
        }

        before.Announce();
    }

    private static IEnumerable<PeerAddress> ManagersOf(ClusterState state) => state.Nodes
        .Where(static n => n is { Role: NodeRole.Manager, MemberId: not 0 })
        .Select(static n => new PeerAddress(new(n.MemberId), NodeId.Parse(n.Id), n.ControlAddress));

    private readonly record struct Undecided(ulong Index, ulong Term, IManagerWork Work);
}

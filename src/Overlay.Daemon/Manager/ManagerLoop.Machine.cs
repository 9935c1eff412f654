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

    /// <summary>Callers wait so many times longer while there are enough managers: one of them will lead.</summary>
    private const int WithQuorum = 10;
    private const int MaxTransactionBytes = 4 << 20;

    /// <summary>How long a change may be undecided after its leader has lost its place.</summary>
    private static readonly TimeSpan UndecidedFor = TimeSpan.FromSeconds(10);

#pragma warning disable CA1859 // The narrow view on purpose: another engine may stand in.
    private readonly IConsensus engine;
#pragma warning restore CA1859

    /// <summary>Taken, and waiting for a leader.</summary>
    private readonly Queue<(IManagerWork Work, Instant Since)> held = [];

    /// <summary>In the log, or to be answered behind what is, and not decided.</summary>
    private readonly Queue<Undecided> undecided = [];

    private readonly SortedDictionary<ulong, Asked> reads = [];
    private readonly List<IManagerWork> answers = [];
    private Speculation? speculation;
    private EngineView view;
    private Instant lostAt = Instant.Never;
    private SnapshotMark lastProposed;
    private ulong applied;

    /// <summary>The state whose managers the engine knows.</summary>
    private ClusterState? known;
    private ulong lastRead;

    public ulong Hash => store.Hash;

    public int Objects => store.State.ObjectCount;

    public bool IsIdle => held.Count == 0 && undecided.Count == 0 && reads.Count == 0 && !waiting.Reader.TryPeek(out _);

    public void Turn()
    {
        Instant now = clock.Now;
        FailUndecided(now);
        bool isAsked = held.Count > 0 || waiting.Reader.TryPeek(out _);
        // A leader that has just lost its quorum says so, rather than begin what nobody can tell the outcome of.
        if (isAsked && speculation is not null && !engine.Quorum.IsLost)
        {
            TakeAll(now);
        }
        else if (isAsked)
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
        foreach ((ulong context, Asked asked) in reads.Where(r => IsVoid(r.Value)).ToArray())
        {
            reads.Remove(context);
            held.Enqueue((asked.Work, asked.Since));
        }

        Announce();
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
            Announce();
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
        if (!reads.Remove(read.Context, out Asked asked))
        {
            return;
        }

        ulong index = Math.Max(read.Index, asked.Behind);
        if (read.Lost || IsVoid(asked))
        {
            held.Enqueue((asked.Work, asked.Since));
        }
        else if (index <= applied)
        {
            asked.Work.Answer(store);
        }
        else
        {
            reads[read.Context] = asked with { Index = index };
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

        foreach (Asked asked in reads.Values)
        {
            asked.Work.Fail(why);
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
        leadership.PassForGood();
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

    /// <summary>
    /// It writes nothing. Answered when what it was computed against is decided, and when it is sure that this manager led
    /// after that: one that stood still may not know yet that others lead, and what they have decided since.
    /// </summary>
    private void Follow(IManagerWork work, Instant since)
    {
        ulong behind = speculation is { Open: > 0 } ? lastProposed.Index : 0;
        if (behind != 0 && work.MayBeStale)
        {
            undecided.Enqueue(new(lastProposed.Index, lastProposed.Term, work));
        }
        else if (behind == 0 && (view.IsAlone || work.MayBeStale))
        {
            work.Answer(store);
        }
        else
        {
            AskLeader(work, since, work.IsRead && behind == 0 ? 0 : view.Term, behind);
        }
    }

    /// <param name="term">In which it was computed as the leader; 0: it looks at the store when it is answered.</param>
    /// <param name="behind">The last entry that it was computed against.</param>
    private void AskLeader(IManagerWork work, Instant since, ulong term = 0, ulong behind = 0)
    {
        reads[++lastRead] = new(work, since, term, behind, null);
        engine.Read(lastRead);
    }

    /// <summary>It was computed as a leader that is none any more: somebody else may have decided what it does not know of.</summary>
    private bool IsVoid(in Asked asked) => asked.Term != 0 && (!view.IsLeader || view.Term != asked.Term);

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
            else if (now - since > patience && (engine.Quorum.IsLost || now - since > WithQuorum * patience))
            {
                work.Fail(engine.Quorum is { IsLost: true } lost ? ManagerEnd.NoQuorum(lost) : ManagerEnd.NoLeader);
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

    private void Announce()
    {
        Leadership before = leadership;
        leadership = new(view, speculation is not null);
        before.Pass();
    }

    private void AnswerReads()
    {
        if (reads.Count == 0)
        {
            return;
        }

        foreach ((ulong context, Asked asked) in reads.ToArray())
        {
            if (asked.Index <= applied)
            {
                reads.Remove(context);
                asked.Work.Answer(store);
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
        if (known is null || !known.SharesNodesWith(store.State))
        {
            known = store.State;
            if (ManagersOf(known.Nodes) is var managers && managers.Any())
            {
                engine.Know(managers);
            }
        }

        before.Announce();
    }

    /// <summary>Those nodes that are among the managers, or on their way from there.</summary>
    public static IEnumerable<PeerAddress> ManagersOf(IEnumerable<NodeObject> nodes) => nodes
        .Where(static n => n is { MemberId: not 0, ControlAddress.Length: > 0 })
        .Select(static n => new PeerAddress(new(n.MemberId), NodeId.Parse(n.Id), n.ControlAddress));

    private readonly record struct Asked(IManagerWork Work, Instant Since, ulong Term, ulong Behind, ulong? Index);

    private readonly record struct Undecided(ulong Index, ulong Term, IManagerWork Work);
}

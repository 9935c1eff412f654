using System.Collections.Immutable;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>What a member's log holds: term and vote, the newest snapshot, the entries behind it.</summary>
internal sealed record MemberLogModel(HardState State, SnapshotMark Snapshot, ImmutableArray<LogEntry> Entries)
{
    public static readonly MemberLogModel Empty = new(default, default, []);

    public ulong LastIndex => Snapshot.Index + (ulong)Entries.Length;

    public ulong LastTerm => Entries.Length > 0 ? Entries[^1].Term : Snapshot.Term;

    public static LogEntry Entry(ulong index, ulong term)
    {
        Prng prng = new((index * 31) + term);
        byte[] data = new byte[prng.Next(50)];
        prng.Fill(data);
        return new(index, term, (EntryKind)prng.Next(3), data);
    }

    public static LogSnapshot SnapshotAt(SnapshotMark mark) =>
        new(mark.Index, mark.Term, BitConverter.GetBytes((mark.Index * 1000) + mark.Term)) { Configuration = Members(mark.Index) };

    public static Overlay.Raft.Configuration Members(ulong seed) => Overlay.Raft.Configuration.OfVoters(new(1 + (seed % 5)), new(10), new(11));

    /// <summary>Every log that a crash inside the step may leave, in order; the last is the step done.</summary>
    public IEnumerable<MemberLogModel> Through(MemberLogStep step)
    {
        MemberLogModel now = this;
        yield return now;
        if (step.Write.State is { } state)
        {
            yield return now = now with { State = state };
        }

        if (step.Write.Install is { } install)
        {
            yield return now = new(now.State, install, []);
        }

        if (step.Write.TruncateFrom is > 0 and var from)
        {
            yield return now = now with { Entries = now.Entries[..(int)(from - now.Snapshot.Index - 1)] };
        }

        for (int i = 0; i < step.Write.Entries.Length; i++)
        {
            yield return now = now with { Entries = now.Entries.Add(step.Write.Entries.Span[i]) };
        }

        if (step.Save is { } mark)
        {
            yield return now with { Snapshot = mark, Entries = now.Entries[(int)(mark.Index - now.Snapshot.Index)..] };
        }
    }

    public static MemberLogModel Of(LogRecovery found, HardState state)
    {
        if (found.Snapshot is { } snapshot)
        {
            Assert.Equal(SnapshotAt(snapshot.Mark).Data.ToArray(), snapshot.Data.ToArray());
            Assert.Equal(Members(snapshot.Index), snapshot.Configuration);
        }

        return new(state, found.Snapshot?.Mark ?? default, [.. found.Entries]);
    }

    public bool Same(MemberLogModel other) => State == other.State && Snapshot == other.Snapshot && Entries.Length == other.Entries.Length
        && Entries.Zip(other.Entries).All(static pair => Same(pair.First, pair.Second));

    public override string ToString() =>
        $"term {State.Term} vote {State.Vote} committed {State.Committed}, snapshot {Snapshot.Index}/{Snapshot.Term}, "
            + string.Join(' ', Entries.Select(static e => $"{e.Index}/{e.Term}"));

    private static bool Same(LogEntry a, LogEntry b) =>
        a.Index == b.Index && a.Term == b.Term && a.Kind == b.Kind && a.Data.Span.SequenceEqual(b.Data.Span);
}

/// <summary>One thing that a member's log is told: a write of the core, or a snapshot of its own.</summary>
internal sealed record MemberLogStep(LogWrite Write, SnapshotMark? Save)
{
    public static MemberLogStep Random(MemberLogModel now, Prng prng)
    {
        ulong term = Math.Max(1, now.State.Term + (ulong)prng.Next(2));
        HardState? state = term > now.State.Term || prng.Chance(0.2) ? new(term, new((ulong)prng.Next(4)), (ulong)prng.Next(9)) : null;
        int kind = prng.Next(10);
        if (kind == 0 && now.Entries.Length > 0)
        {
            LogEntry entry = now.Entries[prng.Next(now.Entries.Length)];
            return new(default, new(entry.Index, entry.Term));
        }

        SnapshotMark? install = kind == 1 ? new(now.Snapshot.Index + 1 + (ulong)prng.Next(20), term) : null;
        ulong behind = install?.Index ?? now.LastIndex;
        bool cut = install is null && now.Entries.Length > 0 && kind is >= 2 and < 5;
        ulong from = cut ? now.Snapshot.Index + 1 + (ulong)prng.Next(now.Entries.Length) : 0;
        ulong first = cut ? from : behind + 1;
        LogEntry[] entries = [.. Enumerable.Range(0, prng.Next(5)).Select(i => MemberLogModel.Entry(first + (ulong)i, term))];
        return new(new(1, state, from, entries, install), null);
    }

    public void Perform(LogStore log)
    {
        if (Save is { } mark)
        {
            log.SaveSnapshot(MemberLogModel.SnapshotAt(mark));
        }
        else
        {
            log.Write(Write, Write.Install is { } install ? MemberLogModel.SnapshotAt(install) : null);
        }
    }
}

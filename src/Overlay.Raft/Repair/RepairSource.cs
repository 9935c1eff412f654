using System.Collections.Immutable;
using Overlay.Raft.Consensus;

namespace Overlay.Raft.Repair;

/// <summary>A log that answers who recovers: of a member that runs, or of one that recovers itself.</summary>
/// <param name="Snapshot">The newest.</param>
/// <param name="Terms">Of all entries behind it.</param>
public sealed record RepairSource(SnapshotMark Snapshot, TermHistory Terms)
{
    /// <summary>So many bytes of entries are in a reply at most, or one entry.</summary>
    public const int MostBytes = 1 << 20;

    private readonly SortedDictionary<ulong, LogEntry> whole = [];

    /// <summary>What a start has found.</summary>
    public static RepairSource Of(LogRecovery found)
    {
        RepairSource source = new(found.Snapshot?.Mark ?? default, found.Terms);
        foreach (LogEntry entry in found.Entries)
        {
            source.Add(entry);
        }

        return source;
    }

    /// <summary>
    /// What a member that runs has of what is asked for. All that it has applied it can give as a snapshot at once.
    /// </summary>
    public static RepairSource Of(RaftCore core, ImmutableArray<RepairAsk> asks)
    {
        TermHistory terms = new();
        terms.Restart(new(core.FirstIndex - 1, core.TermAt(core.FirstIndex - 1)));
        for (ulong index = core.FirstIndex; index <= core.LastIndex; index++)
        {
            terms.Add(index, core.TermAt(index));
        }

        RepairSource source = new(new(core.AppliedIndex, core.TermAt(core.AppliedIndex)), terms);
        foreach (RepairAsk ask in asks)
        {
            if (ask.Index >= core.FirstIndex && ask.Index <= core.LastIndex)
            {
                source.Add(core.Entry(ask.Index));
            }
        }

        return source;
    }

    /// <summary>An entry that is here, whole.</summary>
    public void Add(in LogEntry entry) => whole[entry.Index] = entry;

    /// <param name="request">Of any origin.</param>
    /// <param name="term">This member's, durable, and at least the fence if it has no core.</param>
    /// <param name="isLeader">It has a core, which leads in that term.</param>
    public RepairReply Answer(RepairRequest request, ulong term, bool isLeader)
    {
        ImmutableArray<RepairAnswer>.Builder answers = ImmutableArray.CreateBuilder<RepairAnswer>();
        int bytes = 0;
        foreach (RepairAsk ask in request.Asks.IsDefault ? [] : request.Asks.Take(LogRepair.MostAsked))
        {
            RepairAnswer answer = Answer(ask);
            bytes += answer.Entry.Data.Length;
            if (answers.Count > 0 && bytes > MostBytes)
            {
                break;
            }

            answers.Add(answer);
        }

        return new(request.To, request.From, term, isLeader, Snapshot, answers.ToImmutable());
    }

    private RepairAnswer Answer(RepairAsk ask)
    {
        bool isWhole = whole.TryGetValue(ask.Index, out LogEntry entry);
        if (!isWhole)
        {
            entry = new(ask.Index, Terms.TermOf(ask.Index), EntryKind.Blank, default);
        }

        RepairFate fate = ask.Index <= Snapshot.Index && !isWhole ? RepairFate.Covered
            : ask.Index > Terms.LastIndex ? RepairFate.Never
            : ask.Term != 0 && entry.Term != 0 && entry.Term != ask.Term ? RepairFate.Never
            : isWhole ? RepairFate.Whole
            : RepairFate.Damaged;
        return new(fate, fate == RepairFate.Whole ? entry : entry with { Data = default });
    }
}

using Overlay.Raft.Secrecy;

namespace Overlay.Raft;

/// <summary>
/// What the files of a log hold, and what must be done to them before the log is written again. It decides by these
/// rules: the state is the newest snapshot that validates and every entry behind it; of two segments that both have an
/// entry the later counts. Whatever is needed for that and is damaged, missing or contradicts the rest is a
/// <see cref="Fault"/>: one manager alone does not open such a log. Where it is known which entries there were, they are
/// <see cref="Damaged"/>, and the other members may have them. Damage that the newest snapshot makes up for is told in
/// <see cref="Notes"/>. Only a write that never finished is cut off.
/// </summary>
public sealed class LogRecovery
{
    internal LogRecovery()
    {
    }

    /// <summary>Null: the log is sound.</summary>
    public LogFault? Fault { get; internal set; }

    /// <summary>
    /// Other members cannot make up for the fault: it is not known what this one had acknowledged. It must begin again as
    /// another member.
    /// </summary>
    public bool IsLost { get; internal set; }

    /// <summary>The newest that validates; null: the log is whole from entry 1.</summary>
    public LogSnapshot? Snapshot { get; internal set; }

    /// <summary>Behind the snapshot: all that validate, without gaps if nothing is damaged.</summary>
    public IReadOnlyList<LogEntry> Entries { get; internal set; } = [];

    /// <summary>Behind the snapshot: what was durable and does not validate, ascending.</summary>
    public IReadOnlyList<DamagedRange> Damaged { get; internal set; } = [];

    /// <summary>
    /// Entries up to here only a snapshot can make up for: one that came in place of the log is damaged, and what is before it
    /// may be of a log that was given up. 0: there is nothing of the kind.
    /// </summary>
    public ulong SnapshotNeeded { get; internal set; }

    /// <summary>Of all entries behind the snapshot; damaged ones count.</summary>
    public TermHistory Terms { get; } = new();

    /// <summary>0: nothing was ever written.</summary>
    public ulong LastIndex => Terms.LastIndex;

    /// <summary>For the operator, a sentence each: what was cut off, and what is damaged and not needed.</summary>
    public IReadOnlyList<string> Notes { get; internal set; } = [];

    /// <summary>Indexes of the snapshots that validate, newest first.</summary>
    public IReadOnlyList<ulong> ValidSnapshots { get; internal set; } = [];

    /// <summary>Whose log it is; none: one manager's alone.</summary>
    public MemberId Member { get; internal set; }

    /// <summary>Segments with a successor, oldest first.</summary>
    public IReadOnlyList<SegmentExtent> Closed { get; internal set; } = [];

    /// <summary>The segments that were read, oldest first: those that are needed.</summary>
    public IReadOnlyList<SegmentFinding> Segments { get; internal set; } = [];

    /// <summary>The number that the next segment has at least.</summary>
    public ulong NextSegment { get; internal set; } = 1;

    /// <summary>The segment that is written on; null: there is none.</summary>
    public string? LastSegment { get; internal set; }

    /// <summary>What is in it.</summary>
    public SegmentScan? LastScan { get; internal set; }

    /// <summary>The segment before it, if its seal is not there yet.</summary>
    public (string Name, ulong Salt, ulong Last)? ToSeal { get; internal set; }

    /// <summary>Names that a deletion which did not finish has left.</summary>
    public IReadOnlyList<string> Obsolete { get; internal set; } = [];

    /// <param name="names">Every name in the folder.</param>
    /// <param name="read">Gives a file's bytes; called once for each file that matters.</param>
    /// <param name="keys">Null: what is encrypted cannot be read.</param>
    public static LogRecovery From(IEnumerable<string> names, Func<string, FileContent> read, LogKeys? keys = null) =>
        new LogReading(read, keys, asWritten: false).Run(names);

    /// <summary>The same without any key: entries and snapshots are as they are in the files.</summary>
    public static LogRecovery AsWritten(IEnumerable<string> names, Func<string, FileContent> read) =>
        new LogReading(read, null, asWritten: true).Run(names);
}

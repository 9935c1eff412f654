using System.Collections.Immutable;

namespace Overlay.Raft.Repair;

/// <summary>What a member says of an entry that another asks for.</summary>
public enum RepairFate : byte
{
    /// <summary>Here it is.</summary>
    Whole = 0,

    /// <summary>It was here and does not validate.</summary>
    Damaged = 1,

    /// <summary>It is not here and never was: the log ends before, or has another term at that place.</summary>
    Never = 2,

    /// <summary>The snapshot has it; the entry itself is not kept.</summary>
    Covered = 3,
}

/// <param name="Term">0: the one who asks does not know it.</param>
public readonly record struct RepairAsk(ulong Index, ulong Term);

/// <param name="Entry">Of a whole one all; else index, and the term where it is known.</param>
public readonly record struct RepairAnswer(RepairFate Fate, LogEntry Entry);

/// <summary>A member that recovers asks another for entries.</summary>
/// <param name="Fence">
/// Who has no core yet makes this term durable before it answers: from then on it acknowledges nothing to a leader before.
/// A core that follows a leader does not: that one decides. Without a leader it makes it durable, and says so when it is.
/// </param>
/// <param name="Asks">Ascending, at most <see cref="LogRepair.MostAsked"/>.</param>
public sealed record RepairRequest(MemberId From, MemberId To, ulong Fence, ImmutableArray<RepairAsk> Asks);

/// <param name="Term">The durable term of who answers.</param>
/// <param name="IsLeader">Of that term.</param>
/// <param name="Snapshot">Its newest snapshot; (0, 0): it has none.</param>
/// <param name="Answers">Ascending; to as many of what was asked as have room.</param>
public sealed record RepairReply(
    MemberId From, MemberId To, ulong Term, bool IsLeader, SnapshotMark Snapshot, ImmutableArray<RepairAnswer> Answers);

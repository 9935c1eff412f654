using System.Collections.Immutable;

namespace Overlay.Raft.Consensus;

/// <summary>What an operator may see of a member, at one instant.</summary>
/// <param name="Leader">None: unknown.</param>
/// <param name="Durable">The last entry that is on this member's disk.</param>
/// <param name="Members">Of a leader; else empty.</param>
public sealed record RaftStatus(
    MemberId Self, RaftRole Role, ulong Term, MemberId Vote, MemberId Leader, ulong FirstIndex, ulong LastIndex, ulong Durable,
    ulong Commit, ulong Applied, SnapshotMark Snapshot, Configuration Configuration, MemberId TransferTarget,
    ImmutableArray<MemberProgress> Members);

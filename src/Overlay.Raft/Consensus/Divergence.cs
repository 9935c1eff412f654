namespace Overlay.Raft.Consensus;

/// <summary>Two state machines that applied the same entries are not equal: one of them must stop.</summary>
/// <param name="Member">Whose claim it is: the leader.</param>
/// <param name="Index">Both had applied so far.</param>
public readonly record struct Divergence(MemberId Member, ulong Index, ulong Ours, ulong Theirs);

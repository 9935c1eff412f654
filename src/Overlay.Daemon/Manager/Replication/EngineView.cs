using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>Who leads, as this member knows it.</summary>
/// <param name="Leader">None: nobody is known to.</param>
/// <param name="IsAlone">This member is the only one that decides and the only one there is.</param>
internal readonly record struct EngineView(MemberId Self, RaftRole Role, ulong Term, MemberId Leader, bool IsAlone)
{
    public bool IsLeader => Role == RaftRole.Leader;
}

using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>Who may speak to this manager as another one. Called from many threads; nothing here may wait.</summary>
internal interface IPeerJudge
{
    PeerSelf Self { get; }

    /// <summary>Why a node with that certificate does not speak for a member, as a sentence; null: it does.</summary>
    string? FaultOf(MemberId member, NodeId node);

    /// <summary>A manager of this cluster says in which epoch of its life it is; one that is later supersedes this manager.</summary>
    void Superseded(ulong epoch)
    {
        // Who does not mind need not listen.
    }
}

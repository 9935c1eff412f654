using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>The ways to all other managers. Changed and sent to by one thread; looked at by any.</summary>
internal interface IPeerLinks
{
    /// <summary>A member that is new or has moved gets connections; one that is gone loses them.</summary>
    void Update(IReadOnlyCollection<PeerAddress> peers);

    /// <returns>False: there is no room, or no such member. The message is not looked at after the call.</returns>
    bool TrySend(MemberId to, RaftLane lane, in RaftMessage message);

    bool IsConnected(MemberId member);

    /// <returns>Whether the member has it; false also where there is no such member.</returns>
    Task<bool> SendSnapshotAsync(
        MemberId to, RaftMessage announcement, ReadOnlyMemory<byte> snapshot, CancellationToken cancellationToken);
}

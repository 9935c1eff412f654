using Overlay.Daemon.Manager.Peers;
using Overlay.Raft;
using Overlay.Raft.Repair;

namespace Overlay.Daemon.Manager.Repair;

/// <summary>Asks other managers. What fails throws <see cref="IOException"/>, with the reason.</summary>
internal interface IRepairCalls
{
    Task<RepairReply> AskAsync(PeerAddress peer, RepairRequest request, CancellationToken cancellationToken);

    Task<LogSnapshot> FetchAsync(PeerAddress peer, CancellationToken cancellationToken);
}

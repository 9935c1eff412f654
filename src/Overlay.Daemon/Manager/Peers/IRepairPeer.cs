using Overlay.Raft;
using Overlay.Raft.Repair;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>What a member gives to one whose log is damaged.</summary>
internal interface IRepairPeer
{
    /// <param name="request">Of any origin; whom it is from was made sure of.</param>
    Task<RepairReply> AnswerAsync(RepairRequest request, CancellationToken cancellationToken);

    /// <returns>Null: there is none.</returns>
    Task<LogSnapshot?> CaptureAsync(CancellationToken cancellationToken);
}

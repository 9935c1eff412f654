using Overlay.Raft;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>Who this manager is among managers.</summary>
/// <param name="Member">Of its disk's life.</param>
/// <param name="Epoch">Of the cluster's: it grows when the cluster is begun anew by force.</param>
internal sealed record PeerSelf(string ClusterId, MemberId Member, ulong Epoch)
{
    /// <summary>ip:port under which others reach it; empty: as the store has it.</summary>
    public string Address { get; init; } = "";
}

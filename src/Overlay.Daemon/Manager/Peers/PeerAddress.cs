using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>Where another manager is reached.</summary>
/// <param name="Node">Whose certificate it must present.</param>
/// <param name="Address">ip:port of its manager API.</param>
internal readonly record struct PeerAddress(MemberId Member, NodeId Node, string Address);

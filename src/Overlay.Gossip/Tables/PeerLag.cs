using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>How far a peer has got with what this node wrote for a network.</summary>
/// <param name="Acknowledged">The version up to which the peer said to have everything.</param>
/// <param name="Head">This node's own version.</param>
/// <param name="Lag">The age of the oldest write that the peer has not acknowledged, but no longer than the peer is here; zero: none.</param>
/// <param name="HeardAt">When it last said so; null: never.</param>
public sealed record PeerLag(string Peer, ulong Acknowledged, ulong Head, TimeSpan Lag, Instant? HeardAt)
{
    /// <summary>Writes not acknowledged.</summary>
    public ulong Entries => Head - Acknowledged;
}

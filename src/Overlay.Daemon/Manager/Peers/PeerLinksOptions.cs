using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>What links to other managers are made of.</summary>
internal sealed record PeerLinksOptions
{
    public required NodeIdentity Identity { get; init; }

    public required IPeerReceiver Receiver { get; init; }

    public required Func<Prng> NewPrng { get; init; }

    public required TimeProvider Time { get; init; }

    public required Instruments Instruments { get; init; }

    public required ILogger Logger { get; init; }

    /// <summary>How many bytes may wait in a lane; more than a core has on its way to one member.</summary>
    public int OutboxBytes { get; init; } = 24 << 20;

    /// <summary>
    /// A connection of its own to a peer that must present the certificate of its node, a manager's. One that has expired will
    /// do: managers that were all off for long must agree before anybody can renew anything.
    /// </summary>
    public GrpcChannel Open(PeerAddress peer) => Open(peer, Identity, Time);

    /// <inheritdoc cref="Open(PeerAddress)"/>
    public static GrpcChannel Open(PeerAddress peer, NodeIdentity identity, TimeProvider time) => ManagerEndpoint.OpenWith(
        peer.Address, identity.Presented,
        (presented, along) => ChainVerifier.Fault(
                presented, along, identity.Roots, identity.ClusterId, NodeRole.Manager, time.GetUtcNow(), expiredToo: true)
            ?? (PeerPrincipal.TryParse(presented!, out PeerPrincipal? principal) && principal.Node == peer.Node
                ? null
                : $"it is node {principal?.Node}, not {peer.Node}"));
}

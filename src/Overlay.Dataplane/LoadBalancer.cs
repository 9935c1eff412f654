namespace Overlay.Dataplane;

/// <summary>What gives a sandbox's own flows to virtual addresses their backends.</summary>
public enum LoadBalancer
{
    /// <summary>Rules of nftables; in every kernel.</summary>
    Nftables,

    /// <summary>IP Virtual Server (linux/ip_vs.h), which counts connections, so that it knows who has the fewest.</summary>
    Ipvs,
}

namespace Overlay.Gossip;

/// <summary>Totals since the start.</summary>
public sealed class GossipCounters
{
    public long DatagramsSent { get; internal set; }

    public long DatagramBytesSent { get; internal set; }

    public long DatagramsReceived { get; internal set; }

    /// <summary>Packets and streams that are not well-formed, or not sealed with a key of the keyring.</summary>
    public long Rejected { get; internal set; }

    /// <summary>Those of the rejected that no key of the keyring opens.</summary>
    public long Unopened { get; internal set; }

    /// <summary>Well-formed messages that break a rule: limits, a name that is not ours, a taken name.</summary>
    public long Refused { get; internal set; }

    /// <summary>Well-formed news that was already outdated; repeated packets end here.</summary>
    public long Stale { get; internal set; }

    public long ProbesSent { get; internal set; }

    public long ProbesFailed { get; internal set; }

    /// <summary>Members that answered by TCP only.</summary>
    public long TcpFallbacks { get; internal set; }

    /// <summary>Dials that asked whether the host of a suspect or dead member is up.</summary>
    public long HostChecks { get; internal set; }

    /// <summary>First evidence against a member, for which others were asked.</summary>
    public long Inquiries { get; internal set; }

    /// <summary>Looks at a member because of first evidence, own or others'.</summary>
    public long Looks { get; internal set; }

    /// <summary>Members declared dead by the evidence of several observers.</summary>
    public long FusedVerdicts { get; internal set; }

    /// <summary>This node's own words that a member cannot be reached steadily.</summary>
    public long AlertsRaised { get; internal set; }

    /// <summary>Such words that it took back, because the member passed a later trial.</summary>
    public long AlertsTakenBack { get; internal set; }

    /// <summary>Times that this node objected to what others said of it.</summary>
    public long Refutations { get; internal set; }

    public long PushPulls { get; internal set; }

    /// <summary>Exchanges of what two nodes know differently of members.</summary>
    public long DifferenceExchanges { get; internal set; }

    public long StreamsFailed { get; internal set; }

    /// <summary>Table differences applied.</summary>
    public long DeltasApplied { get; internal set; }

    /// <summary>Differences sent because a peer was behind, beyond the eager spread.</summary>
    public long DeltasRepaired { get; internal set; }

    internal void Reject(Wire.PacketRejection why)
    {
        Rejected++;
        Unopened += why == Wire.PacketRejection.NotSealed ? 1 : 0;
    }
}

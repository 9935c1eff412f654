namespace Overlay.Gossip;

/// <summary>Why a dial of ours brought no answer; says whether the other host's kernel is up.</summary>
public enum StreamFailure
{
    /// <summary>No connection in time, no route, or a fault on this side: nothing is known of the host.</summary>
    Unreachable,

    /// <summary>The connection was refused (RFC 9293 §3.10.7.1: a closed port answers with RST): the host is up.</summary>
    Refused,

    /// <summary>The connection came about and no usable answer came: the host is up, its agent hangs or is ending.</summary>
    Unanswered,
}

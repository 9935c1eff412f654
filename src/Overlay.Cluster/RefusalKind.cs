namespace Overlay.Cluster;

/// <summary>
/// Why something was not done, as far as a caller acts on it: exit codes and gRPC status codes follow from it.
/// </summary>
public enum RefusalKind
{
    /// <summary>What was asked is malformed, whatever the state.</summary>
    Invalid,

    NotFound,

    /// <summary>It contradicts something that exists.</summary>
    Conflict,

    /// <summary>No address, block or number is left.</summary>
    Exhausted,

    /// <summary>It cannot be done now; asking again later may succeed.</summary>
    Unavailable,

    NotPermitted,

    NotInCluster,

    /// <summary>Too few managers are reachable to agree on a change.</summary>
    NoQuorum,
}

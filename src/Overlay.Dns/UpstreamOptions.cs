namespace Overlay.Dns;

/// <summary>Limits of forwarding.</summary>
public sealed record UpstreamOptions
{
    /// <summary>After this long without an answer the next server is asked too.</summary>
    public TimeSpan ServerTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// After this long the client is told SERVFAIL; below the five seconds after which resolvers give up.
    /// </summary>
    public TimeSpan TotalTimeout { get; init; } = TimeSpan.FromSeconds(4);

    public int MaxServers { get; init; } = 3;

    /// <summary>Questions under way for all sandboxes.</summary>
    public int MaxPending { get; init; } = 1024;

    /// <summary>Questions under way for one sandbox, so that none can use up the node's share.</summary>
    public int MaxPendingPerClient { get; init; } = 256;
}

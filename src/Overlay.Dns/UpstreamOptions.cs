namespace Overlay.Dns;

/// <summary>Limits of forwarding, and of what is kept of its answers.</summary>
public sealed record UpstreamOptions
{
    /// <summary>
    /// After this long without an answer the next server is asked too, while there is one that was not. Most answers that a
    /// server has to look for itself come within it.
    /// </summary>
    public TimeSpan RaceAfter { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>
    /// So long a server may take: then the servers are asked once more, and that there is no such name is believed of a
    /// later one.
    /// </summary>
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

    /// <summary>Answers that are kept for all sandboxes; 0: none are.</summary>
    public int CacheEntries { get; init; } = 4096;

    /// <summary>What they may take, about.</summary>
    public long CacheBytes { get; init; } = 4 << 20;

    /// <summary>No answer is repeated longer than this, whatever its TTL.</summary>
    public TimeSpan MaxTtl { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Nor one that says that there is no such name or type: it may be about to be made.</summary>
    public TimeSpan MaxNegativeTtl { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long an answer is kept beyond its time, for when no server answers (RFC 8767 §5: one to three days).</summary>
    public TimeSpan StaleFor { get; init; } = TimeSpan.FromDays(1);

    /// <summary>The TTL of an answer beyond its time (RFC 8767 §4).</summary>
    public TimeSpan StaleTtl { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A client waits this long for the servers where such an answer is there (RFC 8767 §5).</summary>
    public TimeSpan StaleAfter { get; init; } = TimeSpan.FromMilliseconds(1800);

    /// <summary>The servers are asked again after this, where none of them answered (RFC 8767 §5).</summary>
    public TimeSpan StaleRest { get; init; } = TimeSpan.FromSeconds(30);
}

using Overlay.Dns;

namespace Overlay.Daemon.Names;

/// <summary>Limits of the name servers in the sandboxes.</summary>
internal sealed record NameServerOptions
{
    public AnswerOptions Answers { get; init; } = new();

    public UpstreamOptions Upstream { get; init; } = new();

    /// <summary>Bytes of the longest query; real ones have less than 100.</summary>
    public int MaxQuery { get; init; } = 4096;

    /// <summary>TCP connections of one sandbox at a time; further ones are closed at once.</summary>
    public int MaxTcpConnections { get; init; } = 32;

    /// <summary>A TCP connection is closed after this long without a whole query, or with an unread answer.</summary>
    public TimeSpan TcpIdleTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often failed sandboxes are tried again and replaced namespaces noticed.</summary>
    public TimeSpan CheckInterval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long the host's resolv.conf is trusted before it is looked at again.</summary>
    public TimeSpan HostConfigurationAge { get; init; } = TimeSpan.FromSeconds(2);
}

using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>A user's wish to put a sandbox on a network; its text was parsed at the edge.</summary>
public sealed record AttachCommand
{
    public required long RequestId { get; init; }

    /// <summary>Name, id or unique prefix of an id.</summary>
    public required string Network { get; init; }

    /// <summary>A namespace that the shell has found to exist.</summary>
    public required NamespaceName Sandbox { get; init; }

    /// <summary>The sandbox in the user's words: the endpoint's name where none is given.</summary>
    public required string SandboxText { get; init; }

    public string Name { get; init; } = "";

    public ImmutableArray<string> Aliases { get; init; } = [];

    public IPAddress? Ipv4 { get; init; }

    public IPAddress? Ipv6 { get; init; }

    public MacAddress? Mac { get; init; }

    /// <summary>Name, id or unique prefix of the id of a service of that network; empty: of none.</summary>
    public string Service { get; init; } = "";

    /// <summary>Among the service's backends, at most <see cref="EndpointState.MaxWeight"/>; 0: none was given.</summary>
    public int Weight { get; init; }

    /// <summary>For /bin/sh inside the sandbox, as root: only root may have given it. Empty: none.</summary>
    public string HealthCommand { get; init; } = "";

    /// <summary>Empty: the first free eth{n}.</summary>
    public string Interface { get; init; } = "";

    /// <summary>Names of the interfaces that the sandbox has now.</summary>
    public ImmutableArray<string> InterfacesInUse { get; init; } = [];

    public long UnixMs { get; init; }

    /// <summary>The span that asks for it, where it is traced.</summary>
    public TraceContext Trace { get; init; }
}

/// <summary>Names one local endpoint: by id, unique prefix or name; or by network and sandbox.</summary>
public sealed record DetachCommand(long RequestId, string Endpoint, string Network, NamespaceName? Sandbox, long UnixMs);

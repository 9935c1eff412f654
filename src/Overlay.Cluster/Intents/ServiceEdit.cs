using System.Collections.Immutable;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>What an operator changes of a service; its name, network, endpoint mode and virtual addresses stay.</summary>
public sealed record ServiceEdit
{
    /// <summary>As in <see cref="ServiceSpec.Scheduler"/>; empty: as it is.</summary>
    public string Scheduler { get; init; } = "";

    /// <summary>As in <see cref="ServiceSpec.SourceIp"/>; empty: as it is.</summary>
    public string SourceIp { get; init; } = "";

    /// <summary>As in <see cref="ServiceSpec.Locality"/>; empty: as it is.</summary>
    public string Locality { get; init; } = "";

    /// <summary>As in <see cref="ServiceSpec.WeightBy"/>; null: as it is.</summary>
    public string? WeightBy { get; init; }

    /// <summary>As in <see cref="ServiceSpec.StickyMs"/>; null: as it is.</summary>
    public long? StickyMs { get; init; }

    /// <summary>All of them anew, as in <see cref="ServiceSpec.Timeouts"/>; null: as they are.</summary>
    public FlowTimeouts? Timeouts { get; init; }

    /// <summary>All of the check anew, as in <see cref="ServiceSpec.Health"/>; null: as it is.</summary>
    public HealthCheck? Health { get; init; }

    /// <summary>Backends are asked nothing any more.</summary>
    public bool NoHealth { get; init; }

    /// <summary>Each instead of what its key had.</summary>
    public ImmutableSortedDictionary<string, string> LabelsAdded { get; init; } =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Keys of labels that go.</summary>
    public ImmutableSortedSet<string> LabelsRemoved { get; init; } = ImmutableSortedSet.Create<string>(StringComparer.Ordinal);

    public ImmutableArray<PublishedPort> PortsAdded { get; init; } = [];

    /// <summary>As in <see cref="ServiceSpec.IngressId"/>.</summary>
    public string IngressId { get; init; } = "";

    /// <summary>Target ports that are published no longer; of a protocol alone, or of all (unspecified).</summary>
    public ImmutableArray<(uint Target, PortProtocol Protocol)> PortsRemoved { get; init; } = [];

    public bool IsEmpty =>
        Scheduler.Length == 0 && SourceIp.Length == 0 && Locality.Length == 0 && WeightBy is null && StickyMs is null && Timeouts is null
        && Health is null && !NoHealth && LabelsAdded.IsEmpty && LabelsRemoved.IsEmpty && PortsAdded.IsEmpty && PortsRemoved.IsEmpty;
}

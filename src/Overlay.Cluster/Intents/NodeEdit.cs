using System.Collections.Immutable;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>What an operator changes of a node; the rest a node says of itself.</summary>
public sealed record NodeEdit
{
    /// <summary>Unspecified: as it is.</summary>
    public NodeAvailability Availability { get; init; }

    /// <summary>Each instead of what its key had.</summary>
    public ImmutableSortedDictionary<string, string> LabelsAdded { get; init; } =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Keys of labels that go.</summary>
    public ImmutableSortedSet<string> LabelsRemoved { get; init; } = ImmutableSortedSet.Create<string>(StringComparer.Ordinal);

    public bool IsEmpty => Availability == NodeAvailability.Unspecified && LabelsAdded.IsEmpty && LabelsRemoved.IsEmpty;
}

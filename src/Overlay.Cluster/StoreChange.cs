using System.Collections.Immutable;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>What one transaction did to the store.</summary>
public sealed record StoreChange
{
    /// <summary>The store's version after it; for a duplicate, the version that the first one got.</summary>
    public required ulong Version { get; init; }

    /// <summary>The request id was applied before: nothing changed.</summary>
    public bool Duplicate { get; init; }

    /// <summary>The actions as applied: objects carry their version. Read only.</summary>
    public ImmutableArray<StoreAction> Actions { get; init; } = [];

    /// <summary>
    /// What each action replaced or deleted, in the order of <see cref="Actions"/>; null where it created.
    /// </summary>
    public ImmutableArray<StoreObject?> Previous { get; init; } = [];
}

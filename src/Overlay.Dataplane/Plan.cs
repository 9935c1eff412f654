using System.Collections.Immutable;

namespace Overlay.Dataplane;

/// <summary>The shortest way from what is to what should be.</summary>
/// <param name="Operations">To be executed in this order; each is idempotent.</param>
/// <param name="Unreachable">Wanted sandboxes whose namespace does not exist: nothing can be done in them.</param>
public sealed record Plan(ImmutableArray<Operation> Operations, ImmutableSortedSet<NamespaceName> Unreachable)
{
    /// <summary>One operation a line.</summary>
    public override string ToString() =>
        string.Concat(Operations.Select(static o => $"{o}\n")) + string.Concat(Unreachable.Select(static n => $"# unreachable: {n}\n"));
}

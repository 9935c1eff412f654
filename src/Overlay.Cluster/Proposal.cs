using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>A transaction to put on the log, and the object it makes or changes.</summary>
/// <param name="Transaction">Without actions if what was asked already holds: then there is nothing to propose.</param>
/// <param name="Result">As it will be stored; its version is set only when it is applied.</param>
public sealed record Proposal<T>(Transaction Transaction, T Result)
    where T : notnull
{
    public bool IsEmpty => Transaction.Actions.Count == 0;
}

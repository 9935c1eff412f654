using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// The state that a leader computes with: what is applied, and everything that it has proposed since, as if all of it were
/// decided already. So proposals need not wait for each other. When leadership is lost it is thrown away.
/// </summary>
public sealed class Speculation(Store store)
{
    private readonly Queue<Step> steps = [];
    private readonly SortedDictionary<string, ulong> requests = new(StringComparer.Ordinal);

    /// <summary>With everything proposed.</summary>
    public ClusterState State { get; private set; } = store.State;

    /// <summary>Proposed and not decided.</summary>
    public int Open => steps.Count;

    /// <summary>The version that a request id got or will get; null: it is not known.</summary>
    public ulong? VersionOfRequest(string requestId) =>
        requests.TryGetValue(requestId, out ulong index) ? index : store.VersionOfRequest(requestId);

    /// <summary>The transaction is in the log at this place, of this leader's term.</summary>
    public void Propose(ulong index, Transaction transaction)
    {
        (ClusterState next, StoreChange change) = Store.Compute(State, VersionOfRequest(transaction.RequestId), index, transaction);
        steps.Enqueue(new(index, next, change, transaction.RequestId));
        State = next;
        if (transaction.RequestId.Length > 0 && !change.Duplicate)
        {
            requests.Add(transaction.RequestId, index);
        }
    }

    /// <summary>The oldest proposal is decided: the store takes what was computed for it.</summary>
    /// <param name="checksum">Of the transaction's bytes, as for <see cref="Store.Apply"/>.</param>
    public StoreChange Confirm(ulong index, uint checksum)
    {
        Step step = steps.Dequeue();
        Invariant.Holds(step.Index == index, $"proposals are decided in order: {step.Index} before {index}");
        store.Take(step.State, step.Change, index, step.RequestId, checksum);
        requests.Remove(step.RequestId);
        return step.Change;
    }

    private sealed record Step(ulong Index, ClusterState State, StoreChange Change, string RequestId);
}

using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>Something the manager's loop does for a caller: first computed, answered when all before it is durable.</summary>
internal interface IManagerWork
{
    /// <param name="shortage">Why the log has no room, in a sentence; null: it has.</param>
    /// <returns>Null: nothing to write.</returns>
    Transaction? Compute(ClusterState state, long unixMs, Func<string?> shortage);

    void Answer();

    /// <summary>The loop ended before it could answer.</summary>
    void Fail(Refusal refusal);
}

internal sealed class ManagerQuery<T>(Store store, Func<Store, T> read) : IManagerWork
{
    private readonly TaskCompletionSource<T> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? value;

    public Task<T> Result => result.Task;

    public Transaction? Compute(ClusterState state, long unixMs, Func<string?> shortage)
    {
        value = read(store);
        return null;
    }

    public void Answer() => result.TrySetResult(value!);

    public void Fail(Refusal refusal) => result.TrySetException(RefusalStatus.ToException(refusal));
}

internal sealed class ManagerProposal<T>(Store store, Func<Intent, Outcome<Proposal<T>>> compute, string requestId) : IManagerWork
    where T : notnull
{
    private readonly TaskCompletionSource<Outcome<T>> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Outcome<T> outcome;

    public Task<Outcome<T>> Result => result.Task;

    public Transaction? Compute(ClusterState state, long unixMs, Func<string?> shortage)
    {
        if (store.VersionOfRequest(requestId) is { } earlier)
        {
            outcome = MadeAt(state, earlier) is { } made ? made : Gone(earlier);
            return null;
        }

        Outcome<Proposal<T>> computed = compute(new(state, requestId, unixMs));
        if (computed.Refusal is { } refusal)
        {
            outcome = refusal;
            return null;
        }

        outcome = computed.Value.Result;
        if (computed.Value.IsEmpty)
        {
            return null;
        }

        if (shortage() is { } why)
        {
            outcome = new Refusal(
                RefusalKind.Unavailable, "The change was not made.", why, "Make room on that disk, then type the command again.");
            return null;
        }

        return computed.Value.Transaction;
    }

    public void Answer() => result.TrySetResult(outcome);

    public void Fail(Refusal refusal) => result.TrySetResult(refusal);

    /// <summary>What the request made, as it is now; null: it is gone, or was given up.</summary>
    private T? MadeAt(ClusterState state, ulong version)
    {
        StoreChange? change = store.ChangesSince(version - 1)?.FirstOrDefault(c => c.Version == version);
        IEnumerable<StoreObject?> touched = change is null
            ? state.ChangedAt(version)
            : change.Actions.Select(static action => action.Create ?? action.Update).OfType<StoreObject>()
                .Where(static item => Inside(item) is T).Select(item => state.Find(ObjectKey.Of(item)));
        return touched.OfType<StoreObject>().Where(static item => !IsGivenUp(item)).Select(Inside).OfType<T>().FirstOrDefault();
    }

    private Refusal Gone(ulong version) => new(
        RefusalKind.Conflict, "The request was not repeated.",
        $"It was applied before, as version {version}, and what it made was changed or removed since (request id {Refusal.Quote(requestId)}).",
        "If it is wanted once more, ask with another request id.");

    private static bool IsGivenUp(StoreObject item) => item is { Lease.ReleasedUnixMs: not 0 } or { Reservation.ReleasedUnixMs: not 0 };

    private static object Inside(StoreObject wrapper) => wrapper.KindCase switch
    {
        StoreObject.KindOneofCase.Cluster => wrapper.Cluster,
        StoreObject.KindOneofCase.Node => wrapper.Node,
        StoreObject.KindOneofCase.Network => wrapper.Network,
        StoreObject.KindOneofCase.Lease => wrapper.Lease,
        _ => wrapper.Reservation,
    };
}

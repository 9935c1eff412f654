using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>Something the manager's loop does for a caller: first computed, answered when all before it is decided.</summary>
internal interface IManagerWork
{
    /// <summary>Empty: it is not told from others.</summary>
    string RequestId { get; }

    /// <summary>It only reads: any manager can answer it.</summary>
    bool IsRead { get; }

    /// <summary>An answer of a manager that was deposed meanwhile would do no harm.</summary>
    bool MayBeStale { get; }

    /// <param name="speculation">With everything proposed before.</param>
    /// <param name="shortage">Why the log has no room, in a sentence; null: it has.</param>
    /// <returns>Null: nothing to write.</returns>
    Transaction? Compute(Speculation speculation, long unixMs, Func<string?> shortage);

    /// <param name="store">With everything that the work was computed against, and what it proposed.</param>
    void Answer(Store store);

    /// <summary>There will be no answer.</summary>
    void Fail(Refusal refusal);
}

/// <summary>Looks at the store as this manager has it.</summary>
internal sealed class ManagerQuery<T>(Func<Store, T> read, bool mayBeStale) : IManagerWork
{
    private readonly TaskCompletionSource<T> result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Result => result.Task;

    public string RequestId => "";

    public bool IsRead => true;

    public bool MayBeStale => mayBeStale;

    public Transaction? Compute(Speculation speculation, long unixMs, Func<string?> shortage) => null;

    public void Answer(Store store) => result.TrySetResult(read(store));

    public void Fail(Refusal refusal) => result.TrySetException(RefusalStatus.ToException(refusal));
}

internal sealed class ManagerProposal<T>(Func<Intent, Outcome<Proposal<T>>> compute, string requestId) : IManagerWork
    where T : notnull
{
    private readonly TaskCompletionSource<Outcome<T>> result = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Outcome<T> outcome;
    private ulong? repeated;

    public Task<Outcome<T>> Result => result.Task;

    public string RequestId => requestId;

    public bool IsRead => false;

    public bool MayBeStale => false;

    public Transaction? Compute(Speculation speculation, long unixMs, Func<string?> shortage)
    {
        repeated = speculation.VersionOfRequest(requestId);
        if (repeated is not null)
        {
            return null;
        }

        Outcome<Proposal<T>> computed = compute(new(speculation.State, requestId, unixMs));
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

    public void Answer(Store store)
    {
        if (repeated is { } earlier)
        {
            outcome = MadeAt(store, earlier) is { } made ? made : Gone(earlier);
        }

        result.TrySetResult(outcome);
    }

    public void Fail(Refusal refusal) => result.TrySetResult(refusal);

    /// <summary>What the request made, as it is now; null: it is gone, or was given up.</summary>
    private static T? MadeAt(Store store, ulong version)
    {
        ClusterState state = store.State;
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
        StoreObject.KindOneofCase.Service => wrapper.Service,
        _ => wrapper.Reservation,
    };
}

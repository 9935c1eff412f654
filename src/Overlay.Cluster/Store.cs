using System.Collections.Immutable;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// The replicated state machine: the same transactions in the same order give the same bytes on every manager.
/// One owner applies; <see cref="State"/> is immutable and may be handed to any reader.
/// </summary>
public sealed class Store
{
    private readonly RecentRequests requests = new(Limits.RecentRequests);
    private readonly StoreHistory history;

    public Store()
        : this(ClusterState.Empty)
    {
    }

    private Store(ClusterState state)
    {
        State = state;
        history = new(state.Version, Limits.HistoryActions);
    }

    /// <summary>All objects as of <see cref="Version"/>.</summary>
    public ClusterState State { get; private set; }

    /// <summary>The log index of the last transaction, applied or duplicate; 0: none yet.</summary>
    public ulong Version => State.Version;

    /// <param name="index">
    /// The transaction's place in the log; places rise, and may skip entries of other kinds.
    /// </param>
    /// <param name="transaction">Applied whole. One that does not fit the state is a bug of the proposer.</param>
    public StoreChange Apply(ulong index, Transaction transaction)
    {
        Invariant.Holds(index > Version, $"entry {index} comes after {Version}");
        if (requests.VersionOf(transaction.RequestId) is ulong earlier)
        {
            State = State.At(index);
            return new() { Version = earlier, Duplicate = true };
        }

        ImmutableArray<StoreAction>.Builder applied =
            ImmutableArray.CreateBuilder<StoreAction>(transaction.Actions.Count);
        ImmutableArray<StoreObject?>.Builder previous =
            ImmutableArray.CreateBuilder<StoreObject?>(transaction.Actions.Count);
        ClusterState next = State.At(index);
        foreach (StoreAction action in transaction.Actions)
        {
            next = next.Apply(action, index, out StoreAction stamped, out StoreObject? replaced);
            applied.Add(stamped);
            previous.Add(replaced);
        }

        State = next;
        requests.Add(transaction.RequestId, index);
        StoreChange change = new()
        {
            Version = index,
            Actions = applied.MoveToImmutable(),
            Previous = previous.MoveToImmutable(),
        };
        history.Add(change);
        return change;
    }

    /// <summary>The version that a recent request id got; null if it is not remembered.</summary>
    public ulong? VersionOfRequest(string requestId) => requests.VersionOf(requestId);

    /// <summary>
    /// Changes after a version, oldest first; null: they are compacted away (or the version is not of this store's
    /// past), take the whole <see cref="State"/>.
    /// </summary>
    public ImmutableArray<StoreChange>? ChangesSince(ulong version) =>
        version > Version ? null : history.Since(version);

    public StoreSnapshot Snapshot()
    {
        StoreSnapshot snapshot = new() { Version = Version };
        snapshot.Objects.AddRange(State.Objects);
        snapshot.RecentRequests.AddRange(requests.OldestFirst.Select(request => request.Clone()));
        return snapshot;
    }

    public static Store FromSnapshot(StoreSnapshot snapshot)
    {
        ClusterState state = ClusterState.Empty.At(snapshot.Version);
        foreach (StoreObject item in snapshot.Objects)
        {
            Invariant.Holds(
                ObjectKey.VersionOf(item) <= snapshot.Version, $"object {ObjectKey.Of(item)} is not from the future");
            StoreAction create = new() { Create = item };
            state = state.Apply(create, ObjectKey.VersionOf(item), out _, out _);
        }

        Store store = new(state);
        foreach (RecentRequest request in snapshot.RecentRequests)
        {
            store.requests.Add(request.Id, request.Version);
        }

        return store;
    }
}

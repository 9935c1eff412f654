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
    private RecentRequests requests = new(Limits.RecentRequests);
    private StoreHistory history;

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

    /// <summary>
    /// A print of everything that was applied and of what each change met: stores that applied the same entries have the
    /// same, and it goes with a snapshot. Not a secret, and no proof against malice.
    /// </summary>
    public ulong Hash { get; private set; }

    /// <param name="index">
    /// The transaction's place in the log; places rise, and may skip entries of other kinds.
    /// </param>
    /// <param name="transaction">Applied whole. One that does not fit the state is a bug of the proposer.</param>
    /// <param name="checksum">Of the transaction's bytes, for <see cref="Hash"/>.</param>
    public StoreChange Apply(ulong index, Transaction transaction, uint checksum = 0)
    {
        (ClusterState next, StoreChange change) = Compute(State, requests.VersionOf(transaction.RequestId), index, transaction);
        Take(next, change, index, transaction.RequestId, checksum);
        return change;
    }

    /// <summary>What a transaction makes of a state.</summary>
    /// <param name="earlier">The version that its request id got before; null: it is new.</param>
    internal static (ClusterState State, StoreChange Change) Compute(
        ClusterState state, ulong? earlier, ulong index, Transaction transaction)
    {
        Invariant.Holds(index > state.Version, $"entry {index} comes after {state.Version}");
        if (earlier is { } first)
        {
            return (state.At(index), new() { Version = first, Duplicate = true });
        }

        ImmutableArray<StoreAction>.Builder applied =
            ImmutableArray.CreateBuilder<StoreAction>(transaction.Actions.Count);
        ImmutableArray<StoreObject?>.Builder previous =
            ImmutableArray.CreateBuilder<StoreObject?>(transaction.Actions.Count);
        ClusterState next = state.At(index);
        foreach (StoreAction action in transaction.Actions)
        {
            next = next.Apply(action, index, out StoreAction stamped, out StoreObject? replaced);
            applied.Add(stamped);
            previous.Add(replaced);
        }

        return (next, new() { Version = index, Actions = applied.MoveToImmutable(), Previous = previous.MoveToImmutable() });
    }

    /// <summary>Takes what <see cref="Compute"/> made of this very state.</summary>
    internal void Take(ClusterState next, StoreChange change, ulong index, string requestId, uint checksum)
    {
        State = next;
        Hash = Printed(Printed(Hash, index), ((ulong)checksum << 32) | (uint)change.Actions.Length);
        foreach (StoreObject? met in change.Previous)
        {
            Hash = Printed(Hash, met is null ? 0 : ObjectKey.VersionOf(met));
        }

        if (!change.Duplicate)
        {
            requests.Add(requestId, index);
            history.Add(change);
        }
    }

    /// <summary>The version that a recent request id got; null if it is not remembered.</summary>
    public ulong? VersionOfRequest(string requestId) => requests.VersionOf(requestId);

    /// <summary>
    /// Changes after a version, oldest first; null: they are compacted away (or the version is not of this store's
    /// past), take the whole <see cref="State"/>.
    /// </summary>
    public ImmutableArray<StoreChange>? ChangesSince(ulong version) =>
        version > Version ? null : history.Since(version);

    public StoreSnapshot Snapshot() => Capture()();

    /// <summary>The store as it is now; the returned function makes the snapshot of it, on any thread.</summary>
    public Func<StoreSnapshot> Capture()
    {
        ClusterState state = State;
        ulong hash = Hash;
        RecentRequest[] recent = [.. requests.OldestFirst];
        return () =>
        {
            StoreSnapshot snapshot = new() { Version = state.Version, Hash = hash };
            snapshot.Objects.AddRange(state.Objects);
            snapshot.RecentRequests.AddRange(recent.Select(static request => request.Clone()));
            return snapshot;
        };
    }

    /// <summary>Another store's snapshot takes the place of everything here; watchers begin anew.</summary>
    public void Restore(StoreSnapshot snapshot)
    {
        Store other = FromSnapshot(snapshot);
        State = other.State;
        Hash = other.Hash;
        requests = other.requests;
        history = other.history;
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

        Store store = new(state) { Hash = snapshot.Hash };
        foreach (RecentRequest request in snapshot.RecentRequests)
        {
            store.requests.Add(request.Id, request.Version);
        }

        return store;
    }

    /// <summary>One round of a 64-bit mixer (Steele, Lea and Flood's SplitMix64, 2014).</summary>
    private static ulong Printed(ulong hash, ulong value)
    {
        ulong mixed = (hash ^ value) + 0x9E37_79B9_7F4A_7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58_476D_1CE4_E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D0_49BB_1331_11EB;
        return mixed ^ (mixed >> 31);
    }
}

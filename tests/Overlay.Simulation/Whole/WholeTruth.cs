using Overlay.Cluster;
using Overlay.Cluster.Addresses;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Simulation.Whole;

/// <summary>An entry that will stay, and what is true once it is applied.</summary>
/// <param name="CommitTerm">The term of the leader that decided it: leaders of later terms must have it.</param>
internal sealed record Decided(LogEntry Entry, ulong CommitTerm, ulong Hash, Configuration Configuration, ClusterState State);

/// <summary>
/// The one log that all managers must agree on, kept by the simulation as soon as a leader calls an entry committed; and a
/// store of its own that applies it, and must never give anything twice.
/// </summary>
internal sealed class WholeTruth
{
    private readonly WholeWorld world;
    private readonly List<Decided> entries = [];
    private readonly Store store;
    private readonly SortedDictionary<(ulong Index, ulong Term), (EntryKind Kind, uint Checksum, ulong Previous)> register = [];
    private readonly SortedDictionary<string, ulong> requests = new(StringComparer.Ordinal);

    public WholeTruth(WholeWorld world, LogSnapshot beginning)
    {
        this.world = world;
        store = Store.FromSnapshot(StoreSnapshot.Parser.ParseFrom(beginning.Data.Span));
        for (ulong index = 1; index <= beginning.Index; index++)
        {
            entries.Add(new(new(index, beginning.Term, EntryKind.Data, default), 0, store.Hash, beginning.Configuration, store.State));
        }
    }

    public ulong Last => (ulong)entries.Count;

    public Decided this[ulong index] => entries[(int)index - 1];

    public Configuration Configuration => this[Last].Configuration;

    /// <summary>Where a request was applied; null: it was not, or it changed nothing.</summary>
    public ulong? Applied(string request) => requests.TryGetValue(request, out ulong index) ? index : null;

    /// <summary>An entry that somebody writes: index and term name one entry with one predecessor.</summary>
    public void Register(WholeNode node, in LogEntry entry, ulong previous)
    {
        (EntryKind Kind, uint Checksum, ulong Previous) print = (entry.Kind, Crc32C.Of(entry.Data.Span), previous);
        bool known = register.TryGetValue((entry.Index, entry.Term), out (EntryKind Kind, uint Checksum, ulong Previous) there);
        if (known && (previous == 0 || there.Previous == 0))
        {
            print.Previous = there.Previous = Math.Max(previous, there.Previous);
        }

        WholeWatch.Require(
            !known || there == print, node, $"log matching: another entry {entry.Index} of term {entry.Term} ({print}, not {there})");
        register[(entry.Index, entry.Term)] = print;
    }

    /// <summary>Whether the entry is one that somebody was told to write.</summary>
    public bool IsGenuine(in LogEntry entry) =>
        (entry.Index <= Beginning.Index && entry.Term == Beginning.Term)
        || (register.TryGetValue((entry.Index, entry.Term), out (EntryKind Kind, uint Checksum, ulong Previous) there)
            && there.Kind == entry.Kind && there.Checksum == Crc32C.Of(entry.Data.Span));

    public void Commit(WholeNode node, in LogEntry entry, ulong term)
    {
        WholeWatch.Require(entry.Index == Last + 1, node, $"it commits {entry.Index} after {Last}");
        Configuration configuration = Configuration;
        if (entry.Kind == EntryKind.Configuration)
        {
            Invariant.Holds(Configuration.TryRead(entry.Data.Span, out Configuration? next), "a configuration entry can be read");
            configuration = next!;
        }
        else if (entry.Kind == EntryKind.Data)
        {
            Apply(node, entry);
        }

        byte[] data = entry.Data.ToArray();
        entries.Add(new(entry with { Data = data }, term, store.Hash, configuration, store.State));
        if (world.Trace)
        {
            world.Say("truth", $"{entry.Index}/{entry.Term} {entry.Kind} is decided in term {term}");
        }
    }

    private void Apply(WholeNode node, in LogEntry entry)
    {
        Transaction transaction = Transaction.Parser.ParseFrom(entry.Data.Span);
        StoreChange change = store.Apply(entry.Index, transaction, Crc32C.Of(entry.Data.Span));
        if (change.Duplicate)
        {
            return;
        }

        if (transaction.RequestId.Length > 0)
        {
            bool isNew = requests.TryAdd(transaction.RequestId, entry.Index);
            WholeWatch.Require(isNew, node, $"request {transaction.RequestId} is applied twice, now at {entry.Index}");
        }

        CheckResources(node, change);
    }

    /// <summary>Nothing is given twice.</summary>
    private void CheckResources(WholeNode node, StoreChange change)
    {
        foreach (StoreObject made in change.Actions.Select(static a => a.Create).OfType<StoreObject>())
        {
            switch (made.KindCase)
            {
                case StoreObject.KindOneofCase.Network:
                    CheckNetwork(node, made.Network);
                    break;
                case StoreObject.KindOneofCase.Lease:
                    Prefix block = Prefix.Parse(made.Lease.Block);
                    LeaseObject? other = store.State.LeasesOf(made.Lease.NetworkId)
                        .FirstOrDefault(l => l.Id != made.Lease.Id && Prefix.Parse(l.Block).Overlaps(block));
                    WholeWatch.Require(other is null, node, $"block {block} is given twice");
                    break;
            }
        }
    }

    private void CheckNetwork(WholeNode node, NetworkObject made)
    {
        foreach (NetworkObject other in store.State.Networks.Where(n => n.Id != made.Id))
        {
            WholeWatch.Require(
                !other.Segments.Any(a => made.Segments.Any(b => a.Vni == b.Vni)), node, $"a VNI of {made.Name} is {other.Name}'s too");
            WholeWatch.Require(
                !other.Segments.Any(a => made.Segments.Any(b => Prefix.Parse(a.Ipv4.Subnet).Overlaps(Prefix.Parse(b.Ipv4.Subnet)))), node,
                $"a subnet of {made.Name} is {other.Name}'s too");
        }
    }
}

using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Cluster;

public class StoreTests
{
    [Fact]
    public void Apply_stamps_versions_and_keeps_its_own_copy()
    {
        Store store = new();
        NodeObject node = Node("a");
        StoreChange change = store.Apply(7, Creating("", node));
        node.Hostname = "changed by the caller";

        Assert.Equal(7UL, store.Version);
        Assert.Equal(7UL, change.Version);
        Assert.False(change.Duplicate);
        Assert.Equal(7UL, change.Actions[0].Create.Node.Version);
        Assert.Null(change.Previous[0]);
        Assert.Equal("host-a", store.State.Node("a")!.Hostname);
    }

    [Fact]
    public void Apply_reports_what_it_replaced_and_deleted()
    {
        Store store = new();
        store.Apply(1, Creating("", Node("a")));
        NodeObject renamed = Node("a");
        renamed.Hostname = "new";
        StoreChange update = store.Apply(
            2, Transaction("", new StoreAction { Update = new() { Node = renamed } }));
        StoreChange delete = store.Apply(3, Transaction("", Deleting(ObjectKind.Node, "a")));

        Assert.Equal("host-a", update.Previous[0]!.Node.Hostname);
        Assert.Equal("new", delete.Previous[0]!.Node.Hostname);
        Assert.Empty(store.State.Nodes);
    }

    [Fact]
    public void A_repeated_request_changes_nothing_and_learns_its_version()
    {
        Store store = new();
        store.Apply(5, Creating("request", Node("a")));
        StoreChange again = store.Apply(9, Creating("request", Node("b")));

        Assert.True(again.Duplicate);
        Assert.Equal(5UL, again.Version);
        Assert.Empty(again.Actions);
        Assert.Equal(9UL, store.Version);
        Assert.Equal(5UL, store.VersionOfRequest("request"));
        Assert.Null(store.State.Node("b"));
        Assert.Equal("a", Assert.Single(store.State.ChangedAt(5)).Node.Id);
    }

    [Fact]
    public void Requests_without_an_id_are_never_duplicates()
    {
        Store store = new();
        store.Apply(1, Creating("", Node("a")));
        Assert.False(store.Apply(2, Creating("", Node("b"))).Duplicate);
        Assert.Null(store.VersionOfRequest(""));
    }

    [Fact]
    public void The_window_of_requests_is_bounded_and_part_of_snapshots()
    {
        Store store = new();
        for (ulong i = 1; i <= Limits.RecentRequests + 1; i++)
        {
            store.Apply(i, Transaction($"r{i}"));
        }

        Store restored = Store.FromSnapshot(store.Snapshot());
        foreach (Store each in new[] { store, restored })
        {
            Assert.Null(each.VersionOfRequest("r1"));
            Assert.Equal(2UL, each.VersionOfRequest("r2"));
            Assert.Equal((ulong)Limits.RecentRequests, (ulong)each.Snapshot().RecentRequests.Count);
        }
    }

    [Fact]
    public void A_transaction_that_does_not_fit_breaks_an_invariant_and_changes_nothing()
    {
        Store store = new();
        store.Apply(1, Creating("", Node("a")));
        StoreAction second = new() { Create = new() { Node = Node("b") } };
        StoreAction[] misfits =
        [
            new(),
            new() { Create = new() },
            new() { Create = new() { Node = new() } },
            new() { Create = new() { Node = Node("a") } },
            new() { Update = new() { Node = Node("missing") } },
            Deleting(ObjectKind.Node, "missing"),
            Deleting(ObjectKind.Unspecified, "a"),
            new() { Create = new() { Lease = new() { Id = "net/10.0.0.0", NetworkId = "other" } } },
            new() { Create = new() { Reservation = new() { Id = "no slash", NetworkId = "net" } } },
        ];
        foreach (StoreAction misfit in misfits)
        {
            Assert.Throws<InvariantException>(() => store.Apply(2, Transaction("id", second, misfit)));
            Assert.Equal(1UL, store.Version);
            Assert.Null(store.State.Node("b"));
            Assert.Null(store.VersionOfRequest("id"));
        }
    }

    [Fact]
    public void Places_in_the_log_only_rise()
    {
        Store store = new();
        store.Apply(4, Transaction(""));
        Assert.Throws<InvariantException>(() => store.Apply(4, Transaction("")));
    }

    [Fact]
    public void A_snapshot_restores_the_same_bytes()
    {
        Store store = new();
        ClusterObject cluster = new() { Id = "c", CaKey = ByteString.CopyFromUtf8("key") };
        store.Apply(1, Transaction("x", new StoreAction { Create = new() { Cluster = cluster } }));
        store.Apply(2, Creating("y", Node("b")));
        store.Apply(3, Creating("z", Node("a")));
        LeaseObject lease = new() { Id = "n/10.0.0.0", NetworkId = "n", NodeId = "a", Block = "10.0.0.0/28" };
        store.Apply(4, Transaction("", new StoreAction { Create = new() { Lease = lease } }));

        byte[] bytes = store.Snapshot().ToByteArray();
        Store restored = Store.FromSnapshot(StoreSnapshot.Parser.ParseFrom(bytes));

        Assert.Equal(bytes, restored.Snapshot().ToByteArray());
        Assert.Equal(4UL, restored.Version);
        Assert.Equal(2UL, restored.State.Node("b")!.Version);
        Assert.Equal("10.0.0.0/28", restored.State.Lease("n/10.0.0.0")!.Block);
        Assert.Single(restored.State.LeasesOf("n"));
        Assert.Empty(restored.State.LeasesOf("m"));
    }

    [Fact]
    public void Changes_are_resumed_from_a_version()
    {
        Store store = new();
        store.Apply(2, Creating("", Node("a")));
        store.Apply(5, Creating("", Node("b")));
        store.Apply(6, Creating("", Node("c")));

        Assert.Equal([2UL, 5UL, 6UL], store.ChangesSince(0)!.Value.Select(change => change.Version));
        Assert.Equal([5UL, 6UL], store.ChangesSince(3)!.Value.Select(change => change.Version));
        Assert.Empty(store.ChangesSince(6)!.Value);
        Assert.Null(store.ChangesSince(7));
    }

    [Fact]
    public void A_forgotten_past_is_reported_as_compacted()
    {
        Store store = new();
        store.Apply(1, Creating("", Node("a")));
        StoreAction update = new() { Update = new() { Node = Node("a") } };
        StoreAction[] many = [.. Enumerable.Repeat(update, Limits.HistoryActions / 4)];
        for (ulong i = 2; i <= 6; i++)
        {
            store.Apply(i, Transaction("", many));
        }

        Assert.Null(store.ChangesSince(1));
        Assert.Equal([6UL], store.ChangesSince(5)!.Value.Select(change => change.Version));

        Store restored = Store.FromSnapshot(store.Snapshot());
        Assert.Null(restored.ChangesSince(5));
        Assert.Empty(restored.ChangesSince(6)!.Value);
    }

    [Fact]
    public void A_reader_keeps_the_state_it_took()
    {
        Store store = new();
        store.Apply(1, Creating("", Node("a")));
        ClusterState before = store.State;
        store.Apply(2, Transaction("", Deleting(ObjectKind.Node, "a")));

        Assert.NotNull(before.Node("a"));
        Assert.Equal(1UL, before.Version);
        Assert.Null(store.State.Node("a"));
    }

    [Fact]
    public void Lookup_goes_by_id_then_name_then_beginning_of_the_id()
    {
        Store store = new();
        NodeObject[] nodes =
            [Node("abc", "one"), Node("abd", "two"), Node("one", "abc"), Node("x1", "twin"), Node("x2", "twin")];
        store.Apply(1, Creating("", nodes));

        Assert.Equal("abc", store.State.FindNode("abc").Value.Id);
        Assert.Equal("one", store.State.FindNode("one").Value.Id);
        Assert.Equal("abd", store.State.FindNode("two").Value.Id);
        Assert.Equal("abd", store.State.FindNode("abd").Value.Id);
        Assert.Equal("one", store.State.FindNode("o").Value.Id);
        Assert.Equal(RefusalKind.Invalid, store.State.FindNode("ab").Refusal!.Kind);
        Assert.Contains("abc (one), abd (two)", store.State.FindNode("ab").Refusal!.Why, StringComparison.Ordinal);
        Assert.Contains("x1 (twin), x2 (twin)", store.State.FindNode("twin").Refusal!.Why, StringComparison.Ordinal);
        Assert.Equal(RefusalKind.NotFound, store.State.FindNode("zebra").Refusal!.Kind);
        Assert.Equal(RefusalKind.Invalid, store.State.FindNode("").Refusal!.Kind);
        Assert.Equal(RefusalKind.NotFound, store.State.FindNetwork("one").Refusal!.Kind);
    }

    [Fact]
    public void Quoted_text_is_bounded_and_printable()
    {
        string quoted = Refusal.Quote(new string('x', 500) + "\u001b[31m");
        Assert.True(quoted.Length < 100);
        Assert.Equal("'a?b'", Refusal.Quote("a\u0007b"));
    }

    private static NodeObject Node(string id, string? hostname = null) =>
        new() { Id = id, Hostname = hostname ?? $"host-{id}" };

    private static Transaction Creating(string request, params NodeObject[] nodes) =>
        Transaction(request, [.. nodes.Select(node => new StoreAction { Create = new() { Node = node } })]);

    private static StoreAction Deleting(ObjectKind kind, string id) =>
        new() { Delete = new() { Kind = kind, Id = id } };

    private static Transaction Transaction(string request, params StoreAction[] actions)
    {
        Transaction transaction = new() { RequestId = request };
        transaction.Actions.AddRange(actions);
        return transaction;
    }
}

using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Cluster;

public sealed class SpeculationTests
{
    private static Store Begun()
    {
        Store store = new();
        store.Apply(1, new Intent(ClusterState.Empty, "", 1_000_000).Bootstrap(World.Spec("10.0.0.0/8")).Value.Transaction, 7);
        return store;
    }

    private static NetworkSpec Spec(ulong id) => new() { Id = new NetworkId(id).ToString(), Name = $"net{id}" };

    /// <summary>Networks come and go, some asked for twice; computed ahead by a random number of steps.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_was_computed_ahead_and_confirmed_is_what_applying_makes(ulong seed)
    {
        Prng prng = new(seed);
        Store leader = Begun();
        Store follower = Begun();
        Speculation speculation = new(leader);
        Queue<(ulong Index, Transaction Transaction)> open = [];
        ulong index = 1;
        for (ulong step = 1; step <= 200; step++)
        {
            Intent intent = new(speculation.State, $"r{step}", 1_000_000);
            string[] present = [.. speculation.State.Networks.Select(static n => n.Name)];
            Outcome<Proposal<NetworkObject>> computed = present.Length > 0 && prng.Next(3) == 0
                ? intent.RemoveNetwork(present[prng.Next(present.Length)])
                : intent.CreateNetwork(Spec(step));
            Assert.False(computed.IsRefused, computed.Refusal?.ToString());
            index += 1 + (ulong)prng.Next(2);
            speculation.Propose(index, computed.Value.Transaction);
            open.Enqueue((index, computed.Value.Transaction));
            Assert.Equal(index, speculation.VersionOfRequest($"r{step}"));
            while (open.Count > prng.Next(8))
            {
                (ulong next, Transaction transaction) = open.Dequeue();
                StoreChange confirmed = speculation.Confirm(next, (uint)next);
                StoreChange applied = follower.Apply(next, Transaction.Parser.ParseFrom(transaction.ToByteArray()), (uint)next);
                Assert.Equal(applied.Actions, confirmed.Actions);
                Assert.Equal(follower.Hash, leader.Hash);
            }
        }

        Assert.Equal(open.Count, speculation.Open);
        Assert.Equal(follower.Snapshot(), leader.Snapshot());
        Assert.Equal(follower.VersionOfRequest("r1"), speculation.VersionOfRequest("r1"));
    }

    [Fact]
    public void A_store_that_met_something_else_has_another_print_and_a_snapshot_keeps_it()
    {
        Transaction create = new Intent(Begun().State, "", 1_000_000).CreateNetwork(Spec(1)).Value.Transaction;
        Store one = Begun();
        Store other = Begun();
        Assert.Equal(one.Hash, other.Hash);
        one.Apply(2, create, 1);
        other.Apply(3, create, 1);
        Assert.NotEqual(one.Hash, other.Hash);
        Store same = Store.FromSnapshot(StoreSnapshot.Parser.ParseFrom(one.Snapshot().ToByteArray()));
        Assert.Equal(one.Hash, same.Hash);
        other.Restore(one.Snapshot());
        Assert.Equal(one.Hash, other.Hash);
        Assert.Equal(one.State.Version, other.Version);
        Assert.Null(other.ChangesSince(1));
    }
}

using Overlay.Cluster;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>One gossip key takes the place of another: given to all first, sealing later, the old one gone last.</summary>
public sealed class GossipKeyTests
{
    private readonly World world = new();

    [Fact]
    public void A_key_is_given_before_it_seals_and_three_are_kept()
    {
        for (byte i = 10; i < 14; i++)
        {
            ulong sealing = Epochs[0];
            Begin(i);
            Assert.Equal(sealing, Epochs[0]);
            Assert.Equal(sealing + 1, Epochs[1]);
            Refused(world.Intent.BeginKeyRotation(Bytes(32, 99).Span, "again"), RefusalKind.Conflict, "gossip keys");
            world.Do(world.Intent.UseNewKey());
            Assert.Equal(sealing + 1, Epochs[0]);
            world.Do(world.Intent.FinishKeyRotation());
            Assert.Null(Cluster.GossipRotation);
        }

        Assert.Equal([5UL, 4UL, 3UL], Epochs);
        Assert.Equal(Bytes(32, 13), Cluster.GossipKeys[0].Key);
        Assert.Equal(world.Now, Cluster.GossipKeys[0].CreatedUnixMs);
    }

    [Fact]
    public void Steps_that_are_not_due_change_nothing()
    {
        Assert.True(world.Intent.UseNewKey().Value.IsEmpty);
        Assert.True(world.Intent.FinishKeyRotation().Value.IsEmpty);
        Begin(10);
        Assert.True(world.Intent.FinishKeyRotation().Value.IsEmpty);
        world.Do(world.Intent.UseNewKey());
        Assert.True(world.Intent.UseNewKey().Value.IsEmpty);
    }

    [Fact]
    public void What_a_removed_node_knew_goes()
    {
        world.AddNode(2);
        Rotate(10);
        world.Do(world.Intent.RemoveNode("host2", force: true));
        Assert.True(Cluster.GossipRotation is { Wanted: true, Revoke: true });
        Assert.Contains("host2", Cluster.GossipRotation.Reason, StringComparison.Ordinal);
        Assert.True(Told().GossipKeysRevoked);
        Assert.True(world.Intent.UseNewKey().Value.IsEmpty, "there is no new key yet");
        Begin(11);
        Assert.True(Told().GossipKeysRevoked, "what seals is still the key that the node knew");
        world.Do(world.Intent.UseNewKey());
        Assert.False(Told().GossipKeysRevoked);
        Assert.Equal([3UL, 2UL, 1UL], Epochs);
        world.Do(world.Intent.FinishKeyRotation());
        Assert.Equal([3UL], Epochs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_key_on_its_way_is_revoked_with_the_others(bool used)
    {
        world.AddNode(2);
        Begin(10);
        if (used)
        {
            world.Do(world.Intent.UseNewKey());
        }

        world.Do(world.Intent.RemoveNode("host2", force: true));
        Begin(11);
        Assert.Equal(used ? [2UL, 3UL, 1UL] : [1UL, 3UL], Epochs);
        world.Do(world.Intent.UseNewKey());
        world.Do(world.Intent.FinishKeyRotation());
        Assert.Equal([3UL], Epochs);
        Assert.Equal(Bytes(32, 11), Cluster.GossipKeys[0].Key);
    }

    [Fact]
    public void Keys_set_from_outside_wait_for_a_rotation()
    {
        byte[] first = Cluster.GossipKeys[0].Key.ToByteArray();
        Assert.True(world.Intent.SetGossipKeys([first]).Value.IsEmpty, "they are the keys already");
        world.Do(world.Intent.SetGossipKeys([first, [.. Bytes(32, 20)]]));
        Assert.Equal([1UL, 2UL], Epochs);
        Begin(21);
        Refused(world.Intent.SetGossipKeys([[.. Bytes(32, 20)]]), RefusalKind.Conflict, "gossip keys");
    }

    [Fact]
    public void A_step_waits_for_all_who_live_and_for_packets_under_way()
    {
        world.AddNode(2);
        world.AddNode(3);
        KeyRotation rotation = new(TimeSpan.Zero);
        Begin(10);
        SortedDictionary<string, ulong> confirmed = new(StringComparer.Ordinal)
        {
            [NodeIdOf(1)] = Cluster.Version,
            [NodeIdOf(2)] = Cluster.Version - 1,
        };
        Assert.Equal(["host2"], Missing(confirmed, NodeIdOf(3)));
        Assert.Equal(KeyStep.None, Next(rotation, confirmed, 0, NodeIdOf(3)));
        confirmed[NodeIdOf(2)] = Cluster.Version;
        Assert.Equal(["host3"], Missing(confirmed, ""));
        Assert.Empty(Missing(confirmed, NodeIdOf(3)));
        Assert.Equal(KeyStep.None, Next(rotation, confirmed, 1, NodeIdOf(3)));
        Assert.Equal(KeyStep.Use, Next(rotation, confirmed, 1 + KeyRotation.Settle.TotalSeconds, NodeIdOf(3)));
        world.Do(world.Intent.UseNewKey());
        Assert.Equal(KeyStep.None, Next(rotation, confirmed, 3, NodeIdOf(3)));
        confirmed[NodeIdOf(1)] = confirmed[NodeIdOf(2)] = Cluster.Version;
        Assert.Equal(KeyStep.None, Next(rotation, confirmed, 4, NodeIdOf(3)));
        Assert.Equal(KeyStep.None, Next(rotation, confirmed, 4.5, ""));
        Assert.Equal(KeyStep.None, Next(rotation, confirmed, 5.5, NodeIdOf(3)));
        Assert.Equal(KeyStep.Finish, Next(rotation, confirmed, 6.5, NodeIdOf(3)));
    }

    [Fact]
    public void Nobody_is_waited_for_for_ever()
    {
        world.AddNode(2);
        KeyRotation rotation = new(TimeSpan.Zero);
        Begin(10);
        double patience = KeyRotation.Patience.TotalSeconds;
        Assert.Equal(KeyStep.None, Next(rotation, [], 100, ""));
        Assert.Equal(KeyStep.None, Next(rotation, [], 100 + patience - 1, ""));
        Assert.Equal(KeyStep.Use, Next(rotation, [], 100 + patience, ""));
        world.Do(world.Intent.UseNewKey());
        Assert.Equal(KeyStep.None, Next(rotation, [], 101 + patience, ""));
        Assert.Equal(KeyStep.Finish, Next(rotation, [], 101 + (2 * patience), ""));
    }

    [Fact]
    public void A_key_seals_for_so_long_and_a_removal_does_not_wait_for_that()
    {
        KeyRotation rotation = new(TimeSpan.FromHours(1));
        Assert.Equal(KeyStep.None, Next(rotation, [], 0, ""));
        Assert.Equal(KeyStep.None, Next(new(TimeSpan.Zero), [], 0, ""));
        world.Now += 3_599_999;
        Assert.Equal(KeyStep.None, Next(rotation, [], 0, ""));
        world.Now++;
        Assert.Equal(KeyStep.Begin, Next(rotation, [], 0, ""));
        Assert.Equal(KeyStep.None, Next(new(TimeSpan.Zero), [], 0, ""));
        Rotate(10);
        Assert.Equal(KeyStep.None, Next(rotation, [], 1, ""));
        world.AddNode(2);
        world.Do(world.Intent.RemoveNode("host2", force: true));
        Assert.Equal(KeyStep.Begin, Next(new(TimeSpan.Zero), [], 1, ""));
    }

    private ClusterObject Cluster => world.State.Cluster!;

    private ulong[] Epochs => [.. Cluster.GossipKeys.Select(static k => k.Epoch)];

    private void Begin(byte key) => world.Do(world.Intent.BeginKeyRotation(Bytes(32, key).Span, "a test"));

    private void Rotate(byte key)
    {
        Begin(key);
        world.Do(world.Intent.UseNewKey());
        world.Do(world.Intent.FinishKeyRotation());
    }

    private ClusterView Told() => AssignmentBuilder.For(world.Store, new(1), 0).Cluster;

    private string[] Missing(SortedDictionary<string, ulong> confirmed, string dead) =>
        [.. KeyRotation.Missing(world.State, id => confirmed.GetValueOrDefault(id), id => id != dead).Select(static n => n.Hostname)];

    private KeyStep Next(KeyRotation rotation, SortedDictionary<string, ulong> confirmed, double seconds, string dead) => rotation.Next(
        world.State, Missing(confirmed, dead).Length == 0, new((long)(seconds * 1e9)), world.Now);
}

using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Attacks;

/// <summary>
/// Attacks that were found against implementations of this kind, each tried on a real node; docs/gossip.md lists them with
/// what is not defended. First those by somebody on the network without a key, then those by a holder of it.
/// </summary>
public sealed class AttackTests
{
    private static readonly byte[] OtherKey = [.. Enumerable.Repeat((byte)9, 32)];
    private readonly Target target = new();

    [Fact]
    public void Recorded_news_does_not_bring_back_one_who_left_or_died()
    {
        byte[] left = target.Seal(Target.Alive("a", 2, 3)), died = target.Seal(Target.Alive("b", 3, 3));
        target.Take(left);
        target.Take(died);
        target.Hear(new GossipMessage.Dead(3, "a", "a"), new GossipMessage.Dead(3, "b", "a"));
        target.Now += TimeSpan.FromHours(23);
        target.Take(left);
        target.Take(died);
        Assert.Equal((MemberState.Left, MemberState.Dead), (target["a"]!.State, target["b"]!.State));
    }

    [Fact]
    public void Recorded_accusations_do_not_hit_a_member_that_restarted()
    {
        byte[] accused = target.Seal(new GossipMessage.Suspect(90, "a", "b"));
        byte[] buried = target.Seal(new GossipMessage.Dead(90, "a", "b"));
        byte[] left = target.Seal(new GossipMessage.Dead(90, "a", "a"));
        target.Hear(Target.Alive("a", 2, 90));
        target.Take(left);
        target.Hear(Target.Alive("a", 2, 1, boot: 4));
        byte[][] again = [accused, buried, left];
        foreach (byte[] recorded in again)
        {
            target.Take(recorded);
            Assert.Equal(MemberState.Alive, target["a"]!.State);
        }
    }

    [Fact]
    public void Recorded_answers_of_a_former_life_answer_no_probe_of_this_one()
    {
        // Numbers begin anywhere, so what was answered before a restart is as good as a guess.
        SortedSet<uint> first = [];
        for (ulong seed = 1; seed <= 50; seed++)
        {
            Target started = new(seed);
            started.Hear(Target.Alive("a", 2, 3));
            started.Start();
            started.Advance(TimeSpan.FromSeconds(3));
            first.Add(started.Sent<GossipMessage.Ping>().First().SequenceNumber);
        }

        Assert.Equal(50, first.Count);
        Assert.True(first.Max - first.Min > 1U << 24);
    }

    [Fact]
    public void Whoever_has_no_key_gets_no_answer_from_anywhere()
    {
        Prng prng = new(5);
        GossipMessage[] asked =
        [
            new GossipMessage.Ping(1, "me", Target.At(66), "a"),
            new GossipMessage.IndirectPing(2, Target.At(66), "b", true, Target.At(67), "a"),
            new GossipMessage.User(TableCodec.Encode("a", [new TableMessage.Question("", 3, 1)])),
        ];
        foreach (GossipMessage message in asked)
        {
            target.Take(PacketCodec.Encode([message], Keyring.Plaintext, prng, crc: false));
            target.Take(PacketCodec.Encode([message], new([OtherKey]), prng, crc: false));
            byte[] changed = target.Seal(message);
            changed[prng.Next(changed.Length)] ^= 1;
            target.Take(changed);
        }

        Assert.Equal(9, target.Swim.Counters.Rejected);
        Assert.Empty(target.Effects.Datagrams);
        Assert.Empty(target.Effects.Dials);
    }

    /// <summary>A sealed stream is opened before anything of it is believed; GossipStreamsTests bounds what comes before.</summary>
    [Fact]
    public void A_stream_that_is_not_sealed_changes_nothing_and_is_not_answered()
    {
        GossipMessage.PushPull forged = new(true, [new("x", Target.At(66), [], 1, MemberState.Alive, [1, 5, 2, 2, 5, 5], 3)], []);
        target.Swim.ReceiveStream(1, Target.At(66), StreamCodec.Encode(forged, Keyring.Plaintext, new(1)), target.Now, target.Effects);
        target.Swim.ReceiveStream(2, Target.At(66), StreamCodec.Encode(forged, new([OtherKey]), new(1)), target.Now, target.Effects);
        Assert.Equal(2, target.Swim.Counters.Rejected);
        Assert.Empty(target.Effects.Replies);
        Assert.Null(target["x"]);
    }

    [Fact]
    public void No_nonce_is_used_twice()
    {
        SortedSet<string> nonces = new(StringComparer.Ordinal);
        for (ulong seed = 1; seed <= 5; seed++)
        {
            Target sender = new(seed);
            for (int i = 0; i < 2000; i++)
            {
                sender.Effects.Clear();
                sender.Hear(new GossipMessage.Ping((uint)i, "me", null, "a"));
                Assert.True(nonces.Add(Convert.ToHexString(sender.Effects.Datagrams[0].Payload.Span.Slice(1, 12))));
            }
        }
    }

    [Fact]
    public void A_key_that_was_removed_opens_and_seals_nothing_more()
    {
        byte[] recorded = target.Seal(Target.Alive("x", 9, 1));
        target.Swim.SetKeyring(new([OtherKey]));
        target.Take(recorded);
        Assert.Equal(1, target.Swim.Counters.Rejected);
        Assert.Null(target["x"]);
        target.Effects.Clear();
        target.Take(PacketCodec.Encode([new GossipMessage.Ping(1, "me", null, "a")], new([OtherKey]), new(1), crc: false));
        ReadOnlySpan<byte> answer = target.Effects.Datagrams[0].Payload.Span;
        Assert.False(PacketCodec.TryDecode(answer, GossipCluster.Keys, [], out _));
        Assert.True(PacketCodec.TryDecode(answer, new([OtherKey]), [], out _));
    }

    [Fact]
    public void Small_packets_do_not_unpack_to_large_ones_again_and_again()
    {
        byte[] bomb = Wire.Samples.LzwBomb(700);
        byte[] part = [9, 0x82, 0xa4, .. "Algo"u8, 0, 0xa3, .. "Buf"u8, 0xda, (byte)(bomb.Length >> 8), (byte)bomb.Length, .. bomb];
        byte[] compound = [7, 1, (byte)(part.Length >> 8), (byte)part.Length, .. part];
        Target open = new(1, Keyring.Plaintext);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            open.Take(compound);
        }

        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 64 << 10);
        Assert.Equal(100, open.Swim.Counters.Rejected);
    }

    [Fact]
    public void One_who_is_called_dead_objects_and_is_alive_again()
    {
        Target other = new(2, name: "a", host: 2);
        target.Hear(Target.Alive("a", 2, 1, boot: Target.Boot));
        GossipMessage forged = new GossipMessage.Dead(1, "a", "liar");
        target.Hear(forged);
        Assert.Equal(MemberState.Dead, target["a"]!.State);
        // What it said stands meanwhile: its host has not been asked yet.
        Assert.NotEqual(Presence.Dead, target["a"]!.Presence);
        other.Hear(Target.Alive("me", 1, 1, Target.Boot), forged);
        other.Hear(new GossipMessage.Ping(1, "a", null, "me"));
        target.Hear(other.Sent<GossipMessage.Alive>().Single(static a => a.Node == "a"));
        Assert.Equal((MemberState.Alive, 2U), (target["a"]!.State, target["a"]!.Incarnation));
    }

    [Theory]
    [InlineData(uint.MaxValue)]
    [InlineData(uint.MaxValue - 1)]
    [InlineData(1U << 21)]
    public void Nobody_is_pushed_to_the_end_of_the_incarnations(uint incarnation)
    {
        target.Hear(Target.Alive("a", 2, 3));
        target.Hear(
            new GossipMessage.Suspect(incarnation, "a", "b"), new GossipMessage.Dead(incarnation, "a", "b"),
            new GossipMessage.Dead(incarnation, "a", "a"), Target.Alive("a", 2, incarnation),
            new GossipMessage.Suspect(incarnation, "me", "b"), new GossipMessage.Dead(incarnation, "me", "b"),
            Target.Alive("me", 1, incarnation, Target.Boot));
        Assert.Equal((MemberState.Alive, 3U), (target["a"]!.State, target["a"]!.Incarnation));
        Assert.Equal(1U, target["me"]!.Incarnation);
    }

    [Fact]
    public void Nobody_is_pushed_to_the_end_of_the_boot_ids()
    {
        target.Hear(Target.Alive("a", 2, 3));
        target.Hear(Target.Alive("a", 2, 4, boot: ulong.MaxValue), Target.Alive("a", 2, 4, boot: long.MaxValue));
        Assert.Equal((3U, 3UL), (target["a"]!.Incarnation, target["a"]!.BootId));
        // A lower one is believed, and the node it is about takes the next.
        target.Hear(Target.Alive("me", 1, 1, boot: 1UL << 60));
        Assert.Equal((1UL << 60) + 1, target["me"]!.BootId);
    }

    [Fact]
    public void At_the_end_of_the_boot_ids_the_incarnation_decides()
    {
        Target other = new(2, name: "b", host: 2);
        GossipMessage forged = Target.Alive("me", 1, 7, Protocol.MaxBootId) with { Meta = [6] };
        target.Hear(forged);
        other.Hear(forged);
        Assert.Equal((Protocol.MaxBootId, 8U), (target["me"]!.BootId, target["me"]!.Incarnation));
        target.Effects.Clear();
        target.Hear(Target.Alive("b", 2, 1), new GossipMessage.Ping(1, "me", Target.At(2), "b"));
        other.Hear(target.Sent<GossipMessage.Alive>().Single(static a => a.Node == "me"));
        Assert.Equal(8U, other["me"]!.Incarnation);
        Assert.Equal(target["me"]!.Meta, other["me"]!.Meta);
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData((ulong)long.MaxValue)]
    public void Tables_push_nobody_to_the_end_of_the_boot_ids(ulong epoch)
    {
        target.Hear(Target.Alive("a", 2, 3));
        target.Swim.Subscribe("net", target.Now, target.Effects);
        target.Hear(Write("me", epoch), Write("a", epoch), Write("a", 3));
        Assert.Equal(Target.Boot, target["me"]!.BootId);
        Assert.Equal(3UL, target.Swim.Summarize("net")!.Owners.Single(static o => o.Owner == "a").Epoch);

        static GossipMessage.User Write(string owner, ulong epoch) => new(TableCodec.Encode("a",
            [new TableMessage.Delta("net", owner, epoch, 0, 1, 1, 1, 0, [new("k", 1, new byte[9])])]));
    }

    [Fact]
    public void The_name_of_a_member_is_not_taken_and_the_try_is_reported()
    {
        target.Hear(Target.Alive("a", 2, 3), new GossipMessage.Dead(3, "b", "me"));
        target.Effects.Clear();
        target.Hear(Target.Alive("a", 66, 9, boot: 0), Target.Alive("a", 66, 9, boot: 2), Target.Alive("me", 66, 9, Target.Boot));
        Assert.Equal(Target.At(2), target["a"]!.Address);
        Assert.Equal(Target.At(1), target["me"]!.Address);
        Assert.Contains(target.Effects.Events, static e => e is GossipEvent.NameConflict);
    }

    [Fact]
    public void Members_that_do_not_exist_are_taken_up_to_a_limit()
    {
        SwimOptions few = SwimOptions.Lan with { MaxMembers = 100 };
        Target bounded = new(1, options: few);
        for (int i = 0; i < 1000; i++)
        {
            bounded.Hear(Target.Alive($"x{i}", 9, 1));
        }

        Assert.Equal(101, bounded.Swim.Members.Count);
        Assert.Equal(900, bounded.Swim.Counters.Refused);
        Assert.True(bounded.Swim.QueuedRumours <= 101);
    }

    [Fact]
    public void Tables_of_owners_that_do_not_exist_are_taken_up_to_a_limit()
    {
        SwimOptions few = SwimOptions.Lan with { MaxMembers = 100, MaxEntriesPerOwner = 10, MaxTombstones = 10 };
        Target bounded = new(1, options: few);
        bounded.Swim.Subscribe("net", bounded.Now, bounded.Effects);
        for (ulong i = 1; i <= 1000; i++)
        {
            bounded.Hear(Write($"x{i}", 1, "k"), Write("x1", i, $"k{i}"), Write("x1", i, new('k', 250)));
        }

        TableSummary table = bounded.Swim.Summarize("net")!;
        Assert.True(table.Owners.Count <= 102 && table.Owners.Max(static o => o.Entries) <= 40);
        Assert.Empty(bounded.Swim.Entries("net"));

        static GossipMessage.User Write(string owner, ulong version, string key) => new(TableCodec.Encode("a",
            [new TableMessage.Delta("net", owner, 3, version - 1, version, version, 1, 0, [new(key, version, new byte[9])])]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a\u001b[2J")]
    [InlineData("a\nb")]
    public void A_name_that_would_garble_a_terminal_is_no_members(string name)
    {
        target.Hear(Target.Alive(name, 9, 1));
        target.Hear(Target.Alive(new('x', 129), 9, 1), Target.Alive("y", 9, 1) with { Versions = [9, 1, 2, 2, 5, 5] });
        Assert.Single(target.Swim.Members);
    }

    [Fact]
    public void Clocks_of_events_are_not_pushed_to_their_end()
    {
        byte[] late = Overlay.Gossip.Serf.SerfWriter.Encode(new Overlay.Gossip.Serf.SerfMessage.Leave(ulong.MaxValue, "a", false));
        byte[] event9 = Overlay.Gossip.Serf.SerfWriter.Encode(new Overlay.Gossip.Serf.SerfMessage.Event(ulong.MaxValue, "e", [], false));
        target.Hear(new GossipMessage.User(late), new GossipMessage.User(event9));
        Assert.Equal(2, target.Swim.Counters.Rejected);
        Assert.True(target.Swim.Tell("deploy", new byte[3], target.Now, target.Effects));
        Assert.Equal(1UL, Assert.Single(target.Swim.UserEvents).Time);
    }

    [Fact]
    public void A_relay_does_not_send_for_one_source_without_end()
    {
        for (uint i = 0; i < 1000; i++)
        {
            target.Hear(new GossipMessage.IndirectPing(i, Target.At(66), "x", true, Target.At(67), "a"));
        }

        Assert.Equal(32, target.Effects.Datagrams.Count);
    }
}

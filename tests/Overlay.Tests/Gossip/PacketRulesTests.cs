using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.Tests.Gossip.Wire;

namespace Overlay.Tests.Gossip;

/// <summary>What is applied from the bytes of packets ends as what is applied from the messages that they are.</summary>
public sealed class PacketRulesTests
{
    private static readonly string[] Names = ["me", "a", "b", "c", "zürich", "d"];

    [Fact]
    public void News_in_bytes_and_in_objects_come_to_the_same()
    {
        int changed = 0;
        for (ulong seed = 1; seed <= 60; seed++)
        {
            Prng prng = new(seed);
            Side bytes = new(), objects = new();
            Instant now = new(1_000_000_000);
            for (int i = 0; i < 200; i++)
            {
                now += TimeSpan.FromMilliseconds(prng.Next(400));
                byte[] packet = PacketCodec.Encode([News(prng)], Keyring.Plaintext, prng, crc: false);
                if (prng.Chance(0.2))
                {
                    packet[prng.Next(packet.Length)] = (byte)prng.Next(256);
                }

                bytes.Effects.Clear();
                objects.Effects.Clear();
                List<GossipMessage> messages = [];
                bool whole = PacketCodec.TryDecode(packet, Keyring.Plaintext, messages, out PacketRejection first);
                Assert.Equal(whole, PacketCodec.TryDecode(packet, Keyring.Plaintext, new Hearing(bytes, now), out PacketRejection second));
                Assert.Equal(first, second);
                messages.ForEach(m => objects.Apply(m, now));
                bytes.Advance(now);
                objects.Advance(now);
                changed += bytes.Effects.Events.Count;
                Assert.Equal(objects.Text(), bytes.Text());
            }
        }

        Assert.True(changed > 1000, $"{changed} changes");
    }

    [Fact]
    public void Messages_and_fields_say_the_same()
    {
        Prng prng = new(7);
        for (int i = 0; i < 3000; i++)
        {
            GossipMessage message = Samples.Message(prng);
            byte[] packet = PacketCodec.Encode([message], Keyring.Plaintext, prng, crc: false);
            Assert.True(FieldsReader.TryRead((MessageType)packet[0], packet.AsSpan(1), out MessageFields fields));
            Assert.Equal(Samples.Text(message), Samples.Text(fields.ToMessage((MessageType)packet[0])));
        }
    }

    /// <summary>Differences of an owner's table in pieces, lost, doubled and overtaken: what counts as known brought nothing.</summary>
    [Fact]
    public void Writes_that_count_as_known_would_have_changed_nothing()
    {
        int known = 0;
        for (ulong seed = 1; seed <= 40; seed++)
        {
            Prng prng = new(seed);
            OwnerTable owner = new(5);
            List<TableMessage.Delta> told = [];
            OwnerRecord copy = new("a", 5), shortcut = new("a", 5);
            for (int i = 0; i < 150; i++)
            {
                Instant now = new(i);
                owner.Write($"k{prng.Next(8)}", prng.Chance(0.3) ? null : new byte[] { (byte)i }, now);
                told.AddRange(owner.Since("net", "a", (ulong)prng.Next((int)owner.Version), 40));
                TableMessage.Delta delta = told[Math.Max(0, told.Count - 1 - prng.Next(30))];
                copy.Merge(delta, now, []);
                TableReader reader = new(TableCodec.Encode("", [delta]).AsSpan(3));
                Assert.True(TableFields.TryRead(ref reader, out TableFields fields));
                if (shortcut.Knows(fields))
                {
                    known++;
                }
                else
                {
                    shortcut.Merge(delta, now, []);
                }

                Assert.Equal(Text(copy), Text(shortcut));
            }
        }

        Assert.True(known > 100, $"{known} known");
    }

    private static string Text(OwnerRecord record) =>
        $"{record.Table.Version} {record.Table.Head} {record.Table.Settled} {record.Table.Tombstones} "
        + string.Join(' ', record.Visible.Select(v => $"{v.Key}={Convert.ToHexString(v.Value.Span)}"));

    private static GossipMessage News(Prng prng)
    {
        string node = Names[prng.Next(Names.Length)];
        uint incarnation = (uint)prng.Next(6);
        ushort life = prng.Chance(0.7) ? (ushort)0 : MemberDigest.LifeOf(50 + (ulong)prng.Next(2));
        return prng.Next(4) switch
        {
            0 => new GossipMessage.Suspect(incarnation, node, Names[prng.Next(Names.Length)]) { Life = life },
            1 => new GossipMessage.Dead(incarnation, node, Names[prng.Next(Names.Length)]) { Life = life, Witnesses = (uint)prng.Next(2) },
            _ => new GossipMessage.Alive(
                incarnation, node, new(new IPAddress([10, 0, 0, (byte)(prng.Chance(0.9) ? node.Length : 9)]), prng.Chance(0.95) ? 7946 : 0),
                prng.Chance(0.7) ? [] : [(byte)prng.Next(2)], [1, 5, 2, 2, 5, 5], prng.Chance(0.2) ? 0 : 50 + (ulong)prng.Next(2)),
        };
    }

    private readonly struct Hearing(Side side, Instant now) : IMessageSink
    {
        public void Take(MessageType type, in MessageFields message)
        {
            switch (type)
            {
                case MessageType.Alive:
                    side.List.HearAlive(message, now, side.Effects);
                    break;
                case MessageType.Suspect:
                    side.List.HearSuspect(message, now, side.Effects);
                    break;
                case MessageType.Dead:
                    side.List.HearDead(message, now, side.Effects);
                    break;
                default:
                    break;
            }
        }
    }

    private sealed class Side
    {
        private readonly GossipCounters counters = new();

        public Side()
        {
            MemberEntry self = new("me", new(new IPAddress([10, 0, 0, 2]), 7946))
            {
                Incarnation = 1,
                Described = 1,
                State = MemberState.Alive,
                BootId = 50,
            };
            List = new(self, new(), SwimOptions.Lan, new(1), new(8), counters);
        }

        public MemberList List { get; }

        public GossipEffects Effects { get; } = new();

        public void Apply(GossipMessage message, Instant now)
        {
            switch (message)
            {
                case GossipMessage.Alive alive:
                    List.Apply(alive, now, Effects);
                    break;
                case GossipMessage.Suspect suspect:
                    List.Apply(suspect, now, Effects);
                    break;
                case GossipMessage.Dead dead:
                    List.Apply(dead, now, Effects);
                    break;
                default:
                    break;
            }
        }

        public void Advance(Instant now)
        {
            List.HeardAt = now;
            List.Advance(now, Effects);
        }

        public string Text() =>
            $"{counters.Stale} {counters.Refused} {counters.Refutations} {List.Rumours.Count} {List.LiveCount} {List.Digest} "
            + $"{List.Own.OutbidBootId} {string.Join(' ', List.Changed)} {string.Join(' ', Effects.Events)} | "
            + string.Join(" | ", List.Others.Append(List.Self).Select(m =>
                $"{m.Name} {m.Address} {Convert.ToHexString(m.Meta)} {m.State} {m.Incarnation} {m.Described} {m.BootId} "
                + $"{m.Suspicion?.Confirmations} {m.Suspicion?.Deadline}"));
    }
}

using System.Buffers.Binary;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Tests.Dns;

/// <summary>Hostile packets: whatever arrives, the verdict is a value, and what is answered parses.</summary>
public sealed class DnsFuzzTests
{
    private static readonly byte[][] Samples =
    [
        Packets.Query("web.blue", edns: 1232),
        Packets.Query("pool", RecordType.Any),
        Packets.Query("4.1.0.10.in-addr.arpa", RecordType.DomainPointer, edns: 512),
        Packets.Query("www.example.org", RecordType.Aaaa, edns: 4096),
        Packets.Ask(Packets.Query("pool", edns: 1232)).Packet,
    ];

    [Fact]
    public void Every_truncation()
    {
        foreach (byte[] sample in Samples)
        {
            for (int length = 0; length <= sample.Length; length++)
            {
                Check(sample[..length]);
            }
        }
    }

    [Fact]
    public void Mutations_of_valid_packets()
    {
        Prng prng = new(20260101);
        for (int round = 0; round < 100_000; round++)
        {
            byte[] packet = [.. Samples[prng.Next(Samples.Length)]];
            for (int i = 1 + prng.Next(4); i > 0; i--)
            {
                packet[prng.Next(packet.Length)] = prng.Chance(0.3)
                    ? (byte)(0xC0 | prng.Next(2))
                    : (byte)prng.NextUInt64();
            }

            packet[2] &= (byte)(prng.Chance(0.9) ? 0x7F : 0xFF);
            Check(packet);
        }
    }

    [Fact]
    public void Noise()
    {
        Prng prng = new(5);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] packet = new byte[prng.Next(200)];
            prng.Fill(packet);
            if (packet.Length > 12)
            {
                Packets.Hex("0100 0001 0000 0000").CopyTo(packet, 2);
            }

            Check(packet);
        }
    }

    [Fact]
    public void Pointers_that_lead_in_circles_or_forwards()
    {
        Span<byte> name = stackalloc byte[WireName.MaxLength];
        string[] names = ["c00c", "c00e c00c", "01 61 c00c", "c010 0000 01 61 00", "c000", "c0", "3f 61", "40", "80"];
        foreach (string hex in names)
        {
            byte[] message = [.. new byte[12], .. Packets.Hex(hex)];
            int offset = 12;
            Assert.False(WireName.TryRead(message, ref offset, name, out _));
        }
    }

    [Fact]
    public void A_long_chain_of_pointers_is_cut_off()
    {
        byte[] message = new byte[12 + 4096];
        for (int i = 2; i < 4096; i += 2)
        {
            BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(12 + i), (ushort)(0xC000 | (12 + i - 2)));
        }

        Span<byte> name = stackalloc byte[WireName.MaxLength];
        int near = 12 + (2 * 64);
        int far = 12 + (2 * 65);
        Assert.True(WireName.TryRead(message, ref near, name, out _));
        Assert.False(WireName.TryRead(message, ref far, name, out _));
    }

    [Fact]
    public void The_longest_name_and_one_byte_more()
    {
        string label = new('x', 63);
        Span<byte> wire = stackalloc byte[WireName.MaxLength];
        Assert.True(WireName.TryEncode($"{label}.{label}.{label}.{new string('x', 61)}", wire, out int length));
        Assert.Equal(254, length);
        Assert.False(WireName.TryEncode($"{label}.{label}.{label}.{new string('x', 62)}", wire, out _));
        byte[] query = Packets.Query($"{label}.{label}.{label}.{new string('x', 61)}");
        Assert.Equal(AnswerOutcome.Forward, Packets.Ask(query).Answer.Outcome);
        byte[] tooLong = [.. query[..12], .. Packets.Hex("01 61"), .. query[12..]];
        Assert.Equal(ResponseCode.FormatError, Packets.Ask(tooLong).Answer.Code);
    }

    [Fact]
    public void Counts_that_promise_more_than_the_packet_holds()
    {
        byte[] query = Packets.Query("web");
        query.AsSpan(6, 6).Fill(0xFF);
        Assert.Equal(ResponseCode.FormatError, Packets.Ask(query).Answer.Code);
    }

    private static void Check(byte[] packet)
    {
        byte[] response = new byte[1232];
        Answer answer = new Answerer(new()).Answer(packet, Packets.Zones, false, response, new Prng(1));
        if (answer.Outcome == AnswerOutcome.Answered)
        {
            Assert.InRange(answer.Length, 12, answer.UdpLimit);
            Assert.Equal(packet[..2], response[..2]);
            Assert.Equal(0x80, response[2] & 0x80);
            if (response[5] == 1)
            {
                Packets.Addresses(response[..answer.Length]);
            }
        }
        else
        {
            Assert.Equal(0, answer.Length);
        }
    }
}

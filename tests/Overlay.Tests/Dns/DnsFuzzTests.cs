using System.Buffers.Binary;
using System.Net;
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
        Packets.Query("_pool._tcp.blue", RecordType.Srv, edns: 700),
        Packets.Query("_shop._sctp", RecordType.Any),
        Packets.Query("tasks.pool", RecordType.Srv),
        Packets.Ask(Packets.Query("pool", edns: 1232)).Packet,
        Packets.Ask(Packets.Query("pool", RecordType.Srv, edns: 1232)).Packet,
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
    public void Services_of_all_shapes_tell_each_backend_and_port_once_or_are_cut()
    {
        Prng prng = new(11);
        int whole = 0;
        int cut = 0;
        for (int round = 0; round < 2_000; round++)
        {
            ZoneEndpoint[] backends = [.. Enumerable.Range(0, prng.Next(12)).Select(i => new ZoneEndpoint(
                [new string((char)('a' + i), 1 + prng.Next(WireName.MaxLabel))],
                prng.Chance(0.7) ? new IPAddress([10, 0, 3, (byte)i]) : null,
                prng.Chance(0.5) ? new IPAddress([0xfd, .. new byte[14], (byte)i]) : null))];
            ServicePort[] ports = [.. Enumerable.Range(0, prng.Next(6)).Select(_ => new ServicePort(
                (TransportProtocol)prng.Next(3), (ushort)(1 + prng.Next(4))))];
            ZoneService service = new(
                ["s"], [.. ports], [.. backends.Select(e => new ZoneBackend(e, (ushort)(1 + prng.Next(ushort.MaxValue))))]);
            ZoneIndex zone = new(new() { Network = new(3), Name = "red", Endpoints = [.. backends], Services = [service] });
            int protocol = prng.Next(4) - 1;
            string asked = protocol < 0 ? "s" : $"_s._{(TransportProtocol)protocol}";
            (Answer answer, byte[] packet) = Packets.Ask(
                Packets.Query(prng.Chance(0.5) ? asked : asked + ".red", RecordType.Srv, edns: prng.Next(2) * 1232), prng.Chance(0.3), [zone]);
            Assert.Equal(ResponseCode.NoError, answer.Code);
            string[] expected =
            [
                .. service.Backends.SelectMany(b => ports.Where(p => protocol < 0 || (int)p.Protocol == protocol).Select(static p => p.Number)
                    .Distinct().Select(p => $"0 {b.Weight} {p} {b.Endpoint.Names[0]}.red")).Order(StringComparer.Ordinal),
            ];
            List<string> records = Packets.Records(packet);
            string[] told = [.. records.Where(static r => r.StartsWith("answer", StringComparison.Ordinal))
                .Select(static r => r[(r.IndexOf("SRV ", StringComparison.Ordinal) + 4)..]).Order(StringComparer.Ordinal)];
            string[] beside = [.. records.Where(static r => r.StartsWith("additional", StringComparison.Ordinal))];
            Assert.Equal(told, told.Distinct());
            Assert.Empty(told.Except(expected));
            Assert.Equal(beside, beside.Distinct());
            Assert.Equal(answer.IsTruncated, told.Length < expected.Length);
            Assert.True(!answer.IsTruncated || beside.Length == 0);
            cut += answer.IsTruncated ? 1 : 0;
            whole += beside.Length > 0
                && beside.Length == backends.Sum(static b => (b.Ipv4 is null ? 0 : 1) + (b.Ipv6 is null ? 0 : 1)) ? 1 : 0;
        }

        Assert.InRange(cut, 100, 1_900);
        Assert.InRange(whole, 100, 1_900);
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
                Packets.Records(response[..answer.Length]);
            }
        }
        else
        {
            Assert.Equal(0, answer.Length);
        }
    }
}

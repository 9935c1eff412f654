using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using System.Text;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Tests.Dns;

/// <summary>Queries as a resolver in a sandbox sends them, and zones to answer from.</summary>
internal static class Packets
{
    private static readonly ZoneEndpoint Worker = new(["worker", "pool", "tasks.pool"], IPAddress.Parse("10.0.1.4"), null);
    private static readonly ZoneEndpoint Worker2 = new(["worker2", "pool", "tasks.pool"], IPAddress.Parse("10.0.1.5"), null);
    private static readonly ZoneEndpoint Shop1 = new(["Shop1", "tasks.Shop"], IPAddress.Parse("10.0.1.8"), IPAddress.Parse("fd00:1::8"));

    public static readonly Zone Blue = new()
    {
        Network = new(1),
        Name = "blue",
        Subnets = [IPNetwork.Parse("10.0.1.0/24"), IPNetwork.Parse("fd00:1::/64")],
        Endpoints =
        [
            new(["web", "www"], IPAddress.Parse("10.0.1.2"), IPAddress.Parse("fd00:1::2")),
            new(["db"], IPAddress.Parse("10.0.1.3"), null),
            Worker,
            Worker2,
            new(["six"], null, IPAddress.Parse("fd00:1::6")),
            new(["deep", "a.b"], IPAddress.Parse("10.0.1.7"), null),
            Shop1,
            new(["Shop"], IPAddress.Parse("10.0.1.127"), null),
            new(["idle"], IPAddress.Parse("10.0.1.126"), null),
        ],
        Services =
        [
            new(
                ["pool", "tasks.pool"],
                [new(TransportProtocol.Udp, 53), new(TransportProtocol.Tcp, 443), new(TransportProtocol.Tcp, 53)],
                [new(Worker, 1), new(Worker2, 65535)]),
            new(["Shop", "tasks.Shop"], [new(TransportProtocol.Sctp, 9899), new(TransportProtocol.Sctp, 9899)], [new(Shop1, 3)]),
            new(["idle"], [new(TransportProtocol.Tcp, 80)], []),
        ],
    };

    public static readonly Zone Red = new()
    {
        Network = new(2),
        Name = "Red",
        Endpoints =
        [
            new(["web"], IPAddress.Parse("10.0.2.2"), null),
            new(["Other", "web.blue", "db.blue"], IPAddress.Parse("10.0.2.3"), null),
        ],
    };

    public static readonly ImmutableArray<ZoneIndex> Zones = [new(Blue), new(Red)];

    public static byte[] Hex(string text) => Convert.FromHexString(string.Concat(text.Where(char.IsAsciiHexDigit)));

    /// <summary>A query with recursion desired, as dig +noedns or, with a payload size, as dig sends it.</summary>
    public static byte[] Query(
        string name, RecordType type = RecordType.A, ushort id = 0x1234, int edns = 0, ushort flags = 0x0100)
    {
        Span<byte> wire = stackalloc byte[WireName.MaxLength];
        int length = 0;
        Assert.True(name == "." || WireName.TryEncode(name, wire, out length));
        List<byte> packet = [.. Word(id), .. Word(flags), 0, 1, 0, 0, 0, 0, 0, (byte)(edns > 0 ? 1 : 0)];
        packet.AddRange([.. wire[..length], 0, .. Word((int)type), .. Word(1)]);
        if (edns > 0)
        {
            packet.AddRange([0, .. Word(41), .. Word(edns), 0, 0, 0, 0, .. Word(0)]);
        }

        return [.. packet];
    }

    public static byte[] Word(int value)
    {
        byte[] bytes = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)value);
        return bytes;
    }

    public static (Answer Answer, byte[] Packet) Ask(
        byte[] query, bool tcp = false, ImmutableArray<ZoneIndex>? zones = null)
    {
        byte[] response = new byte[ushort.MaxValue];
        Answer answer = new Answerer(new()).Answer(query, zones ?? Zones, tcp, response, new Prng(1));
        return (answer, response[..answer.Length]);
    }

    /// <summary>The code and addresses of the answer to a name, such as "NoError 10.0.1.2".</summary>
    public static string Look(string name, RecordType type = RecordType.A)
    {
        (Answer answer, byte[] packet) = Ask(Query(name, type));
        return answer.Outcome == AnswerOutcome.Answered
            ? string.Join(' ', [answer.Code.ToString(), .. Addresses(packet)])
            : answer.Outcome.ToString();
    }

    /// <summary>The A and AAAA records of a response in which every owner is a pointer, sorted.</summary>
    public static List<string> Addresses(byte[] packet)
    {
        List<string> addresses = [];
        int offset = 12;
        Span<byte> name = stackalloc byte[WireName.MaxLength];
        Assert.True(WireName.TryRead(packet, ref offset, name, out _));
        offset += 4;
        for (int i = 0; i < BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(6)); i++)
        {
            Assert.True(WireName.TryRead(packet, ref offset, name, out _));
            int length = BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(offset + 8));
            if (packet[offset + 1] is 1 or 28)
            {
                addresses.Add(new IPAddress(packet.AsSpan(offset + 10, length)).ToString());
            }

            offset += 10 + length;
        }

        addresses.Sort(StringComparer.Ordinal);
        return addresses;
    }

    /// <summary>
    /// Every record of a response but EDNS's, as in "answer pool SRV 0 1 53 worker.blue", in their order; what is not a whole
    /// message of whole records fails.
    /// </summary>
    public static List<string> Records(byte[] packet)
    {
        List<string> records = [];
        int offset = 12;
        ReadName(packet, ref offset);
        offset += 4;
        foreach ((string section, int at) in new[] { ("answer", 6), ("authority", 8), ("additional", 10) })
        {
            for (int i = 0; i < BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(at)); i++)
            {
                string name = ReadName(packet, ref offset);
                RecordType type = (RecordType)BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(offset));
                int data = offset + 10;
                offset = data + BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(offset + 8));
                if (type != RecordType.Opt)
                {
                    records.Add($"{section} {name} {type.ToString().ToUpperInvariant()} {DataOf(packet, type, data, offset)}");
                }
            }
        }

        Assert.Equal(packet.Length, offset);
        return records;
    }

    private static string DataOf(byte[] packet, RecordType type, int data, int end)
    {
        switch (type)
        {
            case RecordType.A or RecordType.Aaaa:
                return new IPAddress(packet.AsSpan(data..end)).ToString();
            case RecordType.Srv:
                int at = data + 6;
                string numbers = string.Join(' ', Enumerable.Range(0, 3)
                    .Select(i => BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(data + (2 * i)))));
                string target = ReadName(packet, ref at);
                Assert.Equal(end, at);
                return $"{numbers} {target}";
            default:
                return "";
        }
    }

    private static string ReadName(byte[] packet, ref int offset)
    {
        Span<byte> name = stackalloc byte[WireName.MaxLength];
        Assert.True(WireName.TryRead(packet, ref offset, name, out int length));
        List<string> labels = [];
        for (int at = 0; at < length; at += 1 + name[at])
        {
            labels.Add(Encoding.ASCII.GetString(name.Slice(at + 1, name[at])));
        }

        return string.Join('.', labels);
    }
}

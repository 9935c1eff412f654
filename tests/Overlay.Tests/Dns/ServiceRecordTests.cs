using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Tests.Dns;

/// <summary>SRV records (RFC 2782): by which names services are found, what is told of them, and what fits.</summary>
public sealed class ServiceRecordTests
{
    private static readonly string[] AllOfPool =
        ["0 1 443 worker.blue", "0 1 53 worker.blue", "0 65535 443 worker2.blue", "0 65535 53 worker2.blue"];

    [Theory]
    [InlineData("pool")]
    [InlineData("POOL.")]
    [InlineData("pool.blue")]
    [InlineData("tasks.pool")]
    [InlineData("Tasks.Pool.Blue")]
    [InlineData("_pool._tcp")]
    [InlineData("_Pool._TCP.Blue.")]
    public void Each_backend_has_a_record_for_each_port(string name) => Assert.Equal(AllOfPool, Look(name));

    [Theory]
    [InlineData("_pool._udp", "0 1 53 worker.blue", "0 65535 53 worker2.blue")]
    [InlineData("_pool._UDP.blue", "0 1 53 worker.blue", "0 65535 53 worker2.blue")]
    [InlineData("_shop._sctp", "0 3 9899 shop1.blue")]
    [InlineData("shop", "0 3 9899 shop1.blue")]
    [InlineData("tasks.shop.blue", "0 3 9899 shop1.blue")]
    public void A_protocol_s_name_has_its_ports_alone(string name, params string[] expected) => Assert.Equal(expected, Look(name));

    [Theory]
    [InlineData("_pool._sctp", RecordType.Srv)]
    [InlineData("_pool._sctp.blue", RecordType.Any)]
    [InlineData("_pool._tcp", RecordType.A)]
    [InlineData("_pool._tcp.blue", RecordType.Aaaa)]
    [InlineData("_tcp.blue", RecordType.Srv)]      // exists, because _pool._tcp.blue does
    [InlineData("worker", RecordType.Srv)]         // an endpoint's own name
    [InlineData("worker.blue", RecordType.Srv)]
    [InlineData("blue", RecordType.Srv)]
    [InlineData("idle", RecordType.Srv)]           // no backend now
    [InlineData("_idle._tcp", RecordType.Srv)]
    public void Names_without_such_a_record(string name, RecordType type)
    {
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query(name, type));
        Assert.Equal((AnswerOutcome.Answered, ResponseCode.NoError), (answer.Outcome, answer.Code));
        Assert.StartsWith("authority", Assert.Single(Packets.Records(packet)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("_x._tcp.blue", "NameError")]
    [InlineData("_worker._tcp.blue", "NameError")]        // an endpoint is no service
    [InlineData("_tasks._tcp.blue", "NameError")]
    [InlineData("_pool._dccp.blue", "NameError")]
    [InlineData("_pool.blue", "NameError")]
    [InlineData("x._pool._tcp.blue", "NameError")]
    [InlineData("_pool._tcp.pool.blue", "NameError")]
    [InlineData("_ldap._tcp.dc._msdcs.blue", "NameError")]
    [InlineData("_x._tcp", "Forward")]
    [InlineData("_tcp", "Forward")]
    [InlineData("_._tcp", "Forward")]
    [InlineData("_pool", "Forward")]
    [InlineData("__pool._tcp", "Forward")]
    [InlineData("_pool._tcp.corp.example", "Forward")]
    [InlineData("_ldap._tcp.corp.example", "Forward")]
    [InlineData("_ldap._tcp.dc._msdcs.corp.example", "Forward")]
    public void What_is_no_service_s_name_is_treated_as_any_other(string name, string expected) =>
        Assert.Equal(expected, Packets.Look(name, RecordType.Srv));

    [Fact]
    public void The_longest_label_of_a_question()
    {
        string most = new('x', WireName.MaxLabel - 1);
        ZoneEndpoint one = new([most], IPAddress.Parse("10.0.3.1"), null);
        ZoneEndpoint other = new([most + "x"], IPAddress.Parse("10.0.3.2"), null);
        ZoneIndex zone = new(new()
        {
            Network = new(3),
            Name = "red",
            Services =
            [
                new([most], [new(TransportProtocol.Tcp, 1)], [new(one, 1)]),
                new([most + "x"], [new(TransportProtocol.Tcp, 2)], [new(other, 1)]),
            ],
        });
        Assert.Equal([$"0 1 1 {most}.red"], Look($"_{most}._tcp", zone));
        Assert.Equal([$"0 1 2 {most}x.red"], Look($"{most}x", zone));
        Assert.Equal(0, zone.UnusableNames);
    }

    [Fact]
    public void Addresses_of_the_targets_go_along_once_each()
    {
        List<string> records = Packets.Records(Packets.Ask(Packets.Query("pool", RecordType.Srv)).Packet);
        Assert.Equal(
            ["additional worker.blue A 10.0.1.4", "additional worker2.blue A 10.0.1.5"],
            records.Where(static r => !r.StartsWith("answer", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal(
            ["answer _shop._sctp.blue SRV 0 3 9899 shop1.blue", "additional shop1.blue A 10.0.1.8", "additional shop1.blue AAAA fd00:1::8"],
            Packets.Records(Packets.Ask(Packets.Query("_shop._sctp.blue", RecordType.Srv), tcp: true).Packet));
    }

    [Fact]
    public void Any_type_gets_addresses_where_there_are_some() // RFC 8482: one record set
    {
        Assert.Equal(["answer shop A 10.0.1.127"], Packets.Records(Packets.Ask(Packets.Query("shop", RecordType.Any)).Packet));
        Assert.Equal(["0 3 9899 shop1.blue"], Look("_shop._sctp", type: RecordType.Any));
    }

    [Fact]
    public void The_network_attached_first_that_knows_the_name_decides()
    {
        ZoneEndpoint far = new(["far"], IPAddress.Parse("10.0.3.1"), null);
        Zone green = new()
        {
            Network = new(3),
            Name = "green",
            Endpoints = [far],
            Services = [new(["pool"], [new(TransportProtocol.Sctp, 7)], [new(far, 1)]), new(["own"], [new(TransportProtocol.Tcp, 8)], [new(far, 1)])],
        };
        ImmutableArray<ZoneIndex> both = [Packets.Zones[0], new(green)];
        Assert.Empty(Look("_pool._sctp", both));
        Assert.Equal(["0 1 7 far.green"], Look("_pool._sctp.green", both));
        Assert.Equal(["0 1 8 far.green"], Look("_own._tcp", both));
        Assert.Equal(["0 1 7 far.green"], Look("_pool._sctp", [both[1], both[0]]));
    }

    [Fact]
    public void Records_are_told_in_every_order()
    {
        Answerer answerer = new(new());
        Prng prng = new(7);
        byte[] response = new byte[512];
        SortedSet<string> first = [];
        SortedSet<string> firstAddresses = [];
        for (int i = 0; i < 200; i++)
        {
            Answer answer = answerer.Answer(Packets.Query("pool", RecordType.Srv), Packets.Zones, false, response, prng);
            List<string> records = Packets.Records(response[..answer.Length]);
            first.Add(records[0]);
            firstAddresses.Add(records[4]);
        }

        Assert.Equal(4, first.Count);
        Assert.Equal(2, firstAddresses.Count);
    }

    [Theory]
    [InlineData(0, false, 512)]
    [InlineData(900, false, 900)]
    [InlineData(4096, false, 1232)]
    [InlineData(0, true, 65535)]
    public void Long_answers_are_cut_and_then_carry_no_addresses(int edns, bool tcp, int limit)
    {
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query("all", RecordType.Srv, edns: edns), tcp, [Big(6000)]);
        Assert.True(answer.IsTruncated);
        Assert.Equal(2, packet[2] & 2);
        Assert.InRange(packet.Length, limit - 40, limit);
        List<string> records = Packets.Records(packet);
        Assert.Equal((packet.Length - 21 - (edns > 0 ? 11 : 0)) / 29, records.Distinct().Count());
        Assert.All(records, static r => Assert.StartsWith("answer all SRV 0 1 80 e", r, StringComparison.Ordinal));
    }

    [Fact]
    public void Addresses_that_do_not_fit_are_left_out_and_nothing_is_cut()
    {
        // 16 records of 29 bytes and a head of 21 leave 27 bytes of 512: one address.
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query("all", RecordType.Srv), zones: [Big(16)]);
        Assert.False(answer.IsTruncated);
        Assert.Equal(0, packet[2] & 2);
        List<string> records = Packets.Records(packet);
        Assert.Equal(16, records.Count(static r => r.StartsWith("answer", StringComparison.Ordinal)));
        Assert.Single(records, static r => r.StartsWith("additional", StringComparison.Ordinal));

        (answer, packet) = Packets.Ask(Packets.Query("all", RecordType.Srv), zones: [Big(17)]);
        Assert.True(answer.IsTruncated);
        Assert.Equal(16, Packets.Records(packet).Count);
    }

    [Fact]
    public void Addresses_go_along_beyond_the_reach_of_pointers()
    {
        // 1,200 records of 29 bytes: the first offset that no pointer can hold, 16,384, is among them.
        const int backends = 1200;
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query("all", RecordType.Srv), tcp: true, zones: [Big(backends)]);
        Assert.False(answer.IsTruncated);
        Assert.Equal(backends, BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(10)));
        List<string> records = Packets.Records(packet);
        Assert.Equal(records.Count, records.Distinct().Count());
        Assert.Equal(
            records.Take(backends).Select(static r => r.Split(' ')[^1]),
            records.Skip(backends).Select(static r => r.Split(' ')[1]));
        Assert.All(records.Skip(backends), static r => Assert.Equal(r.Split(' ')[1], $"e{Number(r.Split(' ')[^1]):d4}.big"));

        static int Number(string address) => BinaryPrimitives.ReadUInt16BigEndian(IPAddress.Parse(address).GetAddressBytes().AsSpan(2));
    }

    [Fact]
    public void A_target_that_DNS_can_not_carry_is_left_out()
    {
        ZoneEndpoint odd = new(["with space"], IPAddress.Parse("10.0.3.1"), null);
        ZoneEndpoint fine = new(["fine"], IPAddress.Parse("10.0.3.2"), null);
        Zone zone = new()
        {
            Network = new(3),
            Name = "red",
            Endpoints = [odd, fine],
            Services = [new(["s"], [new(TransportProtocol.Tcp, 80)], [new(odd, 1), new(fine, 1)])],
        };
        Assert.Equal(["0 1 80 fine.red"], Look("s", new ZoneIndex(zone)));
        Assert.Empty(Look("s", new ZoneIndex(zone with { Name = "r d" })));
    }

    [Fact]
    public void Of_two_services_of_one_name_the_first_counts()
    {
        ZoneEndpoint one = new(["one"], IPAddress.Parse("10.0.3.1"), null);
        Zone zone = new()
        {
            Network = new(3),
            Name = "red",
            Services = [new(["s"], [], [new(one, 1)]), new(["S"], [new(TransportProtocol.Tcp, 80)], [new(one, 1)])],
        };
        Assert.Empty(Look("s", new ZoneIndex(zone)));
        Assert.Empty(Look("_s._tcp", new ZoneIndex(zone)));
    }

    /// <summary>A service "all" with one port and so many backends, e0000.big and so on; their addresses end in their numbers.</summary>
    private static ZoneIndex Big(int backends)
    {
        ZoneEndpoint[] all = [.. Enumerable.Range(0, backends).Select(static i =>
            new ZoneEndpoint([$"e{i:d4}", "all"], new IPAddress([10, 0, (byte)(i >> 8), (byte)i]), null))];
        return new(new()
        {
            Network = new(3),
            Name = "big",
            Endpoints = [.. all],
            Services = [new(["all"], [new(TransportProtocol.Tcp, 80)], [.. all.Select(static e => new ZoneBackend(e, 1))])],
        });
    }

    private static IEnumerable<string> Look(string name, ZoneIndex zone) => Look(name, [zone]);

    /// <summary>The data of the SRV records of a name, sorted; the name exists.</summary>
    private static IEnumerable<string> Look(string name, ImmutableArray<ZoneIndex>? zones = null, RecordType type = RecordType.Srv)
    {
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query(name, type), zones: zones);
        Assert.Equal((AnswerOutcome.Answered, ResponseCode.NoError), (answer.Outcome, answer.Code));
        return Packets.Records(packet).Where(static r => r.StartsWith("answer", StringComparison.Ordinal))
            .Select(static r => r[(r.IndexOf("SRV ", StringComparison.Ordinal) + 4)..]).Order(StringComparer.Ordinal);
    }
}

using System.Collections.Immutable;
using System.Net;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Tests.Dns;

public sealed class AnswererTests
{
    [Theory]
    [InlineData("web", RecordType.A, "NoError 10.0.1.2")]
    [InlineData("WEB", RecordType.A, "NoError 10.0.1.2")]
    [InlineData("web.", RecordType.A, "NoError 10.0.1.2")]
    [InlineData("www", RecordType.A, "NoError 10.0.1.2")]
    [InlineData("web", RecordType.Aaaa, "NoError fd00:1::2")]
    [InlineData("web.blue", RecordType.A, "NoError 10.0.1.2")]
    [InlineData("Web.Blue.", RecordType.Aaaa, "NoError fd00:1::2")]
    [InlineData("www.blue", RecordType.A, "NoError 10.0.1.2")]
    [InlineData("web.red", RecordType.A, "NoError 10.0.2.2")]
    [InlineData("other.RED", RecordType.A, "NoError 10.0.2.3")]
    [InlineData("other", RecordType.A, "NoError 10.0.2.3")]
    [InlineData("pool", RecordType.A, "NoError 10.0.1.4 10.0.1.5")]
    [InlineData("a.b", RecordType.A, "NoError 10.0.1.7")]
    [InlineData("a.b.blue", RecordType.A, "NoError 10.0.1.7")]
    [InlineData("web", RecordType.Any, "NoError 10.0.1.2")]
    [InlineData("six", RecordType.Any, "NoError fd00:1::6")]
    public void Names_have_their_addresses(string name, RecordType type, string expected) =>
        Assert.Equal(expected, Packets.Look(name, type));

    [Theory]
    [InlineData("db", RecordType.Aaaa, "NoError")]        // has no IPv6
    [InlineData("six", RecordType.A, "NoError")]
    [InlineData("web", RecordType.Mx, "NoError")]
    [InlineData("b.blue", RecordType.A, "NoError")]       // exists, because a.b.blue does
    [InlineData("blue", RecordType.A, "NoError")]         // exists, because web.blue does
    [InlineData("nobody.blue", RecordType.A, "NameError")]
    [InlineData("x.web.blue", RecordType.A, "NameError")]
    [InlineData("nobody", RecordType.A, "Forward")]
    [InlineData("b", RecordType.A, "Forward")]
    [InlineData("webblue", RecordType.A, "Forward")]
    [InlineData("web.skyblue", RecordType.A, "Forward")]
    [InlineData("blue.example", RecordType.A, "Forward")]
    [InlineData("www.example.org", RecordType.A, "Forward")]
    [InlineData(".", RecordType.Ns, "Forward")]
    public void Missing_names_and_types(string name, RecordType type, string expected) =>
        Assert.Equal(expected, Packets.Look(name, type));

    [Fact]
    public void An_alias_can_not_stand_in_for_another_networks_name()
    {
        Assert.Equal("NoError 10.0.1.2", Packets.Look("web.blue"));
        ImmutableArray<ZoneIndex> redFirst = [Packets.Zones[1], Packets.Zones[0]];
        byte[] packet = Packets.Ask(Packets.Query("db.blue"), zones: redFirst).Packet;
        Assert.Equal(["10.0.1.3"], Packets.Addresses(packet));
    }

    [Fact]
    public void The_network_attached_first_wins()
    {
        ImmutableArray<ZoneIndex> redFirst = [Packets.Zones[1], Packets.Zones[0]];
        byte[] packet = Packets.Ask(Packets.Query("web"), zones: redFirst).Packet;
        Assert.Equal(["10.0.2.2"], Packets.Addresses(packet));
    }

    [Theory]
    [InlineData("4.1.0.10.in-addr.arpa", "NoError")]
    [InlineData("9.1.0.10.in-addr.arpa", "NameError")]    // in blue's subnet, nobody has it
    [InlineData("9.9.0.10.in-addr.arpa", "Forward")]
    [InlineData("1.0.10.in-addr.arpa", "Forward")]        // not a whole address
    [InlineData("04.1.0.10.in-addr.arpa", "Forward")]
    [InlineData("256.1.0.10.in-addr.arpa", "Forward")]
    [InlineData("6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa", "NoError")]
    [InlineData("7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.d.f.ip6.arpa", "NameError")]
    [InlineData("0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "Forward")]
    public void Reverse_names(string name, string expected) =>
        Assert.Equal(expected, Packets.Look(name, RecordType.DomainPointer));

    [Fact]
    public void A_name_of_many_addresses_is_answered_in_every_order()
    {
        Answerer answerer = new(new());
        Prng prng = new(7);
        byte[] response = new byte[512];
        HashSet<byte> first = [];
        for (int i = 0; i < 64; i++)
        {
            answerer.Answer(Packets.Query("pool"), Packets.Zones, false, response, prng);
            first.Add(response[12 + 6 + 4 + 12 + 3]);
        }

        Assert.Equal<byte[]>([4, 5], [.. first.Order()]);
    }

    [Theory]
    [InlineData(0, false, 512, true)]
    [InlineData(100, false, 512, true)]
    [InlineData(900, false, 900, true)]
    [InlineData(4096, false, 1232, true)]
    [InlineData(0, true, 65535, false)]
    public void Long_answers_are_cut_for_UDP_only(int edns, bool tcp, int limit, bool isTruncated)
    {
        Zone zone = new()
        {
            Network = new(3),
            Name = "big",
            Endpoints = [.. Enumerable.Range(0, 200).Select(static i =>
                new ZoneEndpoint(["all"], new IPAddress([10, 0, 3, (byte)i]), null))],
        };
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query("all", edns: edns), tcp, [new(zone)]);
        Assert.Equal(isTruncated, answer.IsTruncated);
        Assert.Equal(isTruncated, (packet[2] & 2) != 0);
        Assert.InRange(packet.Length, isTruncated ? limit - 16 : 3000, limit);
        int addresses = Packets.Addresses(packet).Distinct().Count();
        Assert.Equal((packet.Length - 21 - (edns > 0 ? 11 : 0)) / 16, addresses);
        Assert.True(isTruncated || addresses == 200);
    }

    [Fact]
    public void More_addresses_than_any_message_holds()
    {
        Zone zone = new()
        {
            Network = new(3),
            Name = "big",
            Endpoints = [.. Enumerable.Range(0, 6000).Select(static i =>
                new ZoneEndpoint(["all"], new IPAddress([10, 0, (byte)(i >> 8), (byte)i]), null))],
        };
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query("all"), tcp: true, zones: [new(zone)]);
        Assert.True(answer.IsTruncated);
        Assert.Equal((65535 - 21) / 16, Packets.Addresses(packet).Distinct().Count());
    }

    [Fact]
    public void Names_that_DNS_can_not_carry_are_left_out()
    {
        Zone zone = new()
        {
            Network = new(3),
            Name = "odd",
            Endpoints =
            [
                new(["ok", "", "a..b", "with space", "ümlaut", new string('x', 64)], IPAddress.Parse("10.0.3.1"), null),
            ],
        };
        ZoneIndex index = new(zone);
        Assert.Equal(5, index.UnusableNames);
        Assert.Equal(["10.0.3.1"], Packets.Addresses(Packets.Ask(Packets.Query("ok"), zones: [index]).Packet));
    }

    [Fact]
    public void An_answered_query_allocates_nothing()
    {
        Answerer answerer = new(new());
        Prng prng = new(7);
        byte[] response = new byte[1232];
        byte[][] queries =
        [
            Packets.Query("web", edns: 1232), Packets.Query("pool.blue"), Packets.Query("nobody.blue"),
            Packets.Query("db", RecordType.Aaaa), Packets.Query("www.example.org"),
            Packets.Query("4.1.0.10.in-addr.arpa", RecordType.DomainPointer),
            Packets.Query("_pool._tcp", RecordType.Srv, edns: 1232), Packets.Query("tasks.shop.blue", RecordType.Srv),
            Packets.Query("_x._tcp.blue", RecordType.Srv), Packets.Query("_ldap._tcp.corp.example", RecordType.Srv),
        ];
        Assert.Equal(0, Allocations.Least(() =>
        {
            for (int i = 0; i < 500; i++)
            {
                foreach (byte[] query in queries)
                {
                    answerer.Answer(query, Packets.Zones, false, response, prng);
                }
            }
        }));
    }
}

using Overlay.Dns;

namespace Overlay.Tests.Dns;

/// <summary>Whole packets, byte for byte, written by hand from the RFCs.</summary>
public sealed class GoldenPacketTests
{
    [Fact]
    public void An_address_with_EDNS()
    {
        byte[] query = Packets.Hex("""
            8ad0 0120 0001 0000 0000 0001   id, RD AD
            03 576562 04 424c5545 00        "Web" "BLUE"
            0001 0001
            00 0029 04d0 00 00 8000 0000    OPT 1232, version 0, DO
            """.StripNotes());
        Assert.Equal(
            Packets.Hex("""
                8ad0 8580 0001 0001 0000 0001   QR AA RD RA
                03 576562 04 424c5545 00        the case of the question
                0001 0001
                c00c 0001 0001 00000005 0004 0a000102
                00 0029 04d0 00 00 8000 0000
                """.StripNotes()),
            Packets.Ask(query).Packet);
    }

    [Fact]
    public void An_IPv6_address_without_EDNS() => Assert.Equal(
        Packets.Hex("""
            1234 8580 0001 0001 0000 0000
            03 736978 00 001c 0001
            c00c 001c 0001 00000005 0010 fd000001000000000000000000000006
            """),
        Packets.Ask(Packets.Query("six", RecordType.Aaaa)).Packet);

    [Fact]
    public void A_name_that_does_not_exist_names_the_zone() => Assert.Equal(
        Packets.Hex("""
            1234 8583 0001 0000 0001 0000
            01 78 04 626c7565 00 0001 0001
            c00e 0006 0001 00000001 0023
              c00e 0a 686f73746d6173746572 c00e 00000001 00000001 00000001 00000001 00000001
            """),
        Packets.Ask(Packets.Query("x.blue")).Packet);

    [Fact]
    public void A_type_that_does_not_exist() => Assert.Equal(
        Packets.Hex("""
            1234 8580 0001 0000 0001 0000
            02 6462 00 001c 0001
            c00c 0006 0001 00000001 0023
              c00c 0a 686f73746d6173746572 c00c 00000001 00000001 00000001 00000001 00000001
            """),
        Packets.Ask(Packets.Query("db", RecordType.Aaaa)).Packet);

    [Fact]
    public void The_start_of_authority_of_a_network() => Assert.Equal(
        Packets.Hex("""
            1234 8580 0001 0001 0000 0000
            04 626c7565 00 0006 0001
            c00c 0006 0001 00000001 0023
              c00c 0a 686f73746d6173746572 c00c 00000001 00000001 00000001 00000001 00000001
            """),
        Packets.Ask(Packets.Query("blue", RecordType.Soa)).Packet);

    [Fact]
    public void A_pointer() => Assert.Equal(
        Packets.Hex("""
            1234 8580 0001 0001 0000 0000
            01 33 01 31 01 30 02 3130 07 696e2d61646472 04 61727061 00 000c 0001
            c00c 000c 0001 00000005 0009 02 6462 04 626c7565 00
            """),
        Packets.Ask(Packets.Query("3.1.0.10.in-addr.arpa", RecordType.DomainPointer)).Packet);

    [Fact]
    public void A_service_with_its_target_s_addresses_and_EDNS() => Assert.Equal(
        Packets.Hex("""
            1234 8580 0001 0001 0000 0003                the addresses and OPT are additional
            05 5f53686f70 05 5f73637470 04 626c7565 00   "_Shop" "_sctp" "blue"
            0021 0001
            c00c 0021 0001 00000005 0012                 at 34
              0000 0003 26ab                             priority 0, weight 3, port 9899
              05 53686f7031 04 626c7565 00               "Shop1" "blue", whole, at 52
            c034 0001 0001 00000005 0004 0a000108
            c034 001c 0001 00000005 0010 fd000001000000000000000000000008
            00 0029 04d0 00 00 0000 0000
            """.StripNotes()),
        Packets.Ask(Packets.Query("_Shop._sctp.blue", RecordType.Srv, edns: 1232)).Packet);

    [Fact]
    public void A_service_without_a_port_of_the_protocol() => Assert.Equal(
        Packets.Hex("""
            1234 8580 0001 0000 0001 0000
            05 5f73686f70 04 5f746370 04 626c7565 00 0021 0001
            c017 0006 0001 00000001 0023
              c017 0a 686f73746d6173746572 c017 00000001 00000001 00000001 00000001 00000001
            """),
        Packets.Ask(Packets.Query("_shop._tcp.blue", RecordType.Srv)).Packet);

    [Theory]
    [InlineData("1234 2900 0000 0000 0000 0000", "1234 a984 0000 0000 0000 0000")]   // UPDATE: not implemented
    [InlineData("1234 0100 0000 0000 0000 0000", "1234 8181 0000 0000 0000 0000")]   // no question
    [InlineData("1234 0100 0002 0000 0000 0000 02 6462 00 0001 0001 02 6462 00 0001 0001",
        "1234 8181 0000 0000 0000 0000")]                                             // two questions
    [InlineData("1234 0100 0001 0000 0000 0000 02 6462 00 0001", "1234 8181 0000 0000 0000 0000")]
    [InlineData("1234 0100 0001 0000 0000 0000 c00c 0001 0001", "1234 8181 0000 0000 0000 0000")]
    [InlineData("1234 0100 0001 0000 0000 0000 02 6462 00 0001 0003",
        "1234 8185 0001 0000 0000 0000 02 6462 00 0001 0003")]                        // class CHAOS: refused
    [InlineData("1234 0100 0001 0000 0000 0000 02 6462 00 00fc 0001",
        "1234 8185 0001 0000 0000 0000 02 6462 00 00fc 0001")]                        // AXFR: refused
    [InlineData("1234 0100 0001 0000 0000 0001 02 6462 00 0001 0001 00 0029 04d0 00 01 0000 0000",
        "1234 8180 0001 0000 0000 0001 02 6462 00 0001 0001 00 0029 04d0 01 00 0000 0000")] // EDNS 1: BADVERS
    [InlineData(
        "1234 0100 0001 0000 0000 0002 02 6462 00 0001 0001 00 0029 04d0 00000000 0000 00 0029 04d0 00000000 0000",
        "1234 8181 0001 0000 0000 0001 02 6462 00 0001 0001 00 0029 04d0 00 00 0000 0000")] // EDNS twice
    public void Bad_queries_are_told_so(string query, string response) =>
        Assert.Equal(Packets.Hex(response), Packets.Ask(Packets.Hex(query)).Packet);

    [Theory]
    [InlineData("", DropReason.TooShort)]
    [InlineData("1234 0100 0001 0000 0000 00", DropReason.TooShort)]
    [InlineData("1234 8180 0001 0000 0000 0000 02 6462 00 0001 0001", DropReason.IsResponse)]
    public void Some_packets_get_no_answer(string query, DropReason reason)
    {
        Answer answer = Packets.Ask(Packets.Hex(query)).Answer;
        Assert.Equal((AnswerOutcome.Drop, reason, 0), (answer.Outcome, answer.Reason, answer.Length));
    }

    [Fact]
    public void Compression_of_RFC_1035_section_4_1_4()
    {
        // F.ISI.ARPA at 20, FOO and a pointer to it at 40, a pointer to ARPA at 64, the root at 92.
        byte[] message = new byte[93];
        Packets.Hex("01 46 03 495349 04 41525041 00").CopyTo(message, 20);
        Packets.Hex("03 464f4f c014").CopyTo(message, 40);
        Packets.Hex("c01a").CopyTo(message, 64);
        Assert.Equal(("03666f6f0166036973690461727061", 46), Read(40));
        Assert.Equal(("0461727061", 66), Read(64));
        Assert.Equal(("", 93), Read(92));

        (string Name, int End) Read(int offset)
        {
            Span<byte> name = stackalloc byte[WireName.MaxLength];
            Assert.True(WireName.TryRead(message, ref offset, name, out int length));
            return (Convert.ToHexStringLower(name[..length]), offset);
        }
    }
}

internal static class GoldenText
{
    /// <summary>Drops what follows two or more spaces after the first hexadecimal column of a line.</summary>
    public static string StripNotes(this string text) => string.Join('\n', text.Split('\n').Select(static line =>
    {
        string trimmed = line.TrimStart();
        int note = trimmed.IndexOf("   ", StringComparison.Ordinal);
        return note < 0 ? trimmed : trimmed[..note];
    }));
}

using System.Net;
using System.Runtime.CompilerServices;
using Overlay.Dataplane;
using Overlay.Linux.Ipvs;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Tests.Linux;

/// <summary>Messages of IPVS byte by byte, written down from linux/ip_vs.h (little-endian machine), and read back.</summary>
public sealed class IpvsMessageTests
{
    private const ushort Family = 0x22;

    private static readonly IpvsService Web = new(0x6f00_0001, IsIpv6: false, "wrr", 0);

    [Fact]
    public void The_header_has_the_kernels_size() => Assert.Equal(4, Unsafe.SizeOf<GenlMsgHdr>());

    [Fact]
    public void A_service_is_made() => AssertBytes(
        static batch => IpvsMessage.Write(batch, Family, Web, isNew: true),
        "4c000000 2200 0100 09000000 00000000 01 01 0000", // IPVS_CMD_NEW_SERVICE
        "3800 0180", // IPVS_CMD_ATTR_SERVICE
        "0600 0100 0200 0000", // AF_INET
        "0800 0500 0100006f", // the mark
        "0800 0600 77727200", // wrr
        "0c00 0700 00000000 ffffffff", // flags, and which of them are meant
        "0800 0800 2c010000",
        "0800 0900 ffffffff");

    [Fact]
    public void A_sticky_one_of_IPv6_is_changed() => AssertBytes(
        static batch => IpvsMessage.Write(batch, Family, Web with { IsIpv6 = true, Scheduler = "rr", Sticky = 600 }, isNew: false),
        "4c000000 2200 0100 09000000 00000000 02 01 0000",
        "3800 0180",
        "0600 0100 0a00 0000",
        "0800 0500 0100006f",
        "0700 0600 727200 00",
        "0c00 0700 01000000 ffffffff", // IP_VS_SVC_F_PERSISTENT
        "0800 0800 58020000",
        "0800 0900 80000000"); // of all 128 bits

    [Fact]
    public void A_destination_is_changed() => AssertBytes(
        static batch => IpvsMessage.Write(batch, Family, Web with { IsIpv6 = true }, new(IPAddress.Parse("fd00::1e"), 3), isNew: false),
        "70000000 2200 0100 09000000 00000000 06 01 0000",
        "1400 0180 0600 0100 0a00 0000 0800 0500 0100006f",
        "4800 0280",
        "1400 0100 fd00000000000000000000000000001e",
        "0600 0200 0000 0000", // the port that was asked for
        "0600 0b00 0a00 0000",
        "0800 0300 00000000", // masquerading
        "0800 0400 03000000",
        "0800 0500 00000000", "0800 0600 00000000");

    [Fact]
    public void One_is_deleted_and_so_is_a_service() => AssertBytes(
        static batch =>
        {
            IpvsMessage.Delete(batch, Family, Web, IPAddress.Parse("10.0.0.30"));
            IpvsMessage.Delete(batch, Family, Web);
        },
        "50000000 2200 0100 09000000 00000000 07 01 0000",
        "1400 0180 0600 0100 0200 0000 0800 0500 0100006f",
        "2800 0280 1400 0100 0a00001e000000000000000000000000 0600 0200 0000 0000 0600 0b00 0200 0000",
        "28000000 2200 0100 0a000000 00000000 03 01 0000",
        "1400 0180 0600 0100 0200 0000 0800 0500 0100006f");

    [Fact]
    public void What_was_written_is_read()
    {
        IpvsService sticky = Web with { IsIpv6 = true, Scheduler = "wlc", Sticky = 600 };
        Assert.True(TryRead(batch => IpvsMessage.Write(batch, Family, sticky, isNew: true), IpvsMessage.TryParseService, out IpvsService service));
        Assert.True(sticky.Does(service));
        Assert.True(TryRead(static batch => IpvsMessage.Write(batch, Family, Web, isNew: true), IpvsMessage.TryParseService, out service));
        Assert.True(Web.Does(service));
        Assert.True(TryRead(
            static batch => IpvsMessage.Write(batch, Family, Web, new(IPAddress.Parse("10.0.0.30"), 7), isNew: true),
            IpvsMessage.TryParseDestination, out IpvsDestination destination));
        Assert.Equal(new(IPAddress.Parse("10.0.0.30"), 7, 0), destination);
        Assert.True(TryRead(
            static batch => IpvsMessage.Write(batch, Family, new IpvsTimeouts(432_000, 120, 300)), IpvsMessage.TryParseTimeouts, out IpvsTimeouts timeouts));
        Assert.Equal(new(432_000, 120, 300), timeouts);
    }

    [Fact]
    public void Connections_of_all_kinds_count()
    {
        Assert.True(TryRead(
            static batch =>
            {
                batch.Begin(Family, 0, new GenlMsgHdr { Command = 5, Version = 1 });
                int nest = batch.BeginNest(2);
                batch.Put(1, [10, 0, 0, 30, .. new byte[12]]);
                batch.Put(4, 0);
                batch.Put(7, 1);
                batch.Put(8, 20);
                batch.Put(9, 300);
                batch.EndNest(nest);
                batch.End();
            },
            IpvsMessage.TryParseDestination, out IpvsDestination destination));
        Assert.Equal(new(IPAddress.Parse("10.0.0.30"), 0, 321), destination);
    }

    [Fact]
    public void Of_what_is_cut_off_or_another_thing_nothing_is_read()
    {
        MessageBuilder whole = new();
        whole.Clear(9);
        IpvsMessage.Write(whole, Family, Web, new(IPAddress.Parse("10.0.0.30"), 7), isNew: true);
        byte[] bytes = whole.Written.ToArray();
        for (int length = NetlinkConstants.HeaderSize; length < bytes.Length; length++)
        {
            NetlinkMessage message = new(default, bytes.AsSpan(NetlinkConstants.HeaderSize, length - NetlinkConstants.HeaderSize));
            Assert.False(IpvsMessage.TryParseService(message, out IpvsService service) && service.Mark != Web.Mark);
            Assert.False(IpvsMessage.TryParseDestination(message, out IpvsDestination destination) && destination.Weight is not (0 or 7));
        }

        Assert.False(TryRead(static batch => IpvsMessage.Write(batch, Family, new IpvsTimeouts(1, 2, 3)), IpvsMessage.TryParseService, out IpvsService _));
    }

    private static bool TryRead<T>(Action<MessageBuilder> write, TryParseMessage<T> parse, out T item)
    {
        MessageBuilder batch = new();
        batch.Clear(9);
        write(batch);
        MessageReader reader = new(batch.Written);
        Assert.True(reader.TryNext(out NetlinkMessage message));
        return parse(message, out item);
    }

    private static void AssertBytes(Action<MessageBuilder> write, params string[] expected)
    {
        MessageBuilder batch = new();
        batch.Clear(9);
        write(batch);
        Assert.Equal(
            string.Concat(expected).Replace(" ", "", StringComparison.Ordinal), Convert.ToHexString(batch.Written), ignoreCase: true);
    }
}

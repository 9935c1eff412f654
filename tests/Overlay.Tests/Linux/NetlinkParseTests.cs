using System.Net;
using Overlay.Dataplane;
using Overlay.Linux.Events;
using Overlay.Linux.Netlink;
using Overlay.Linux.Rtnetlink;
using Overlay.Primitives;

namespace Overlay.Tests.Linux;

public sealed class NetlinkParseTests
{
    private static readonly MacAddress Mac = new(0x0242_0a00_0002);

    public static TheoryData<string> Dumps => [.. NetlinkDump.Names];

    [Fact]
    public void Links_of_a_real_kernel_are_read()
    {
        SortedDictionary<string, LinkRecord> links = new(StringComparer.Ordinal);
        foreach (LinkRecord link in NetlinkDump.Parse<LinkRecord>(NetlinkDump.Load("links"), LinkRecord.TryParse))
        {
            links.Add(link.Name, link);
        }

        Assert.Equal(["br0", "lo", "veth1", "vxlan0", "vxlan1"], links.Keys);
        Assert.Equal((LinkKind.Loopback, true, 65536), (links["lo"].Kind, links["lo"].Up, links["lo"].Mtu));
        LinkRecord bridge = links["br0"];
        Assert.Equal(
            (LinkKind.Bridge, true, 1450, new MacAddress(0x0242_0a00_0001)),
            (bridge.Kind, bridge.Up, bridge.Mtu, bridge.Mac!.Value));
        LinkRecord vxlan = links["vxlan0"];
        Assert.Equal((bridge.Index, "overlayd network 1", 1450), (vxlan.Master, vxlan.Alias, vxlan.Mtu));
        Assert.Equal(new(new(4097), IPAddress.Parse("192.0.2.1"), 4789, false, true, true, true), vxlan.Vxlan);
        Assert.Equal(
            new(new(4098), IPAddress.Parse("2001:db8::1"), 4790, false, false, false, false), links["vxlan1"].Vxlan);
        Assert.False(links["vxlan1"].Up);
        Assert.Equal(LinkKind.Veth, links["veth1"].Kind);
        Assert.NotNull(links["veth1"].LowerNamespace);
        Assert.True(links["veth1"].Lower > 0);
    }

    [Fact]
    public void Addresses_of_a_real_kernel_are_read()
    {
        List<AddressRecord> all = NetlinkDump.Parse<AddressRecord>(
            NetlinkDump.Load("addresses"), AddressMessage.TryParse);
        Assert.Contains(all, a => a is { PrefixLength: 24, Scope: 0 } && a.Address.Equals(IPAddress.Parse("10.0.0.1")));
        Assert.Contains(all, a => a.PrefixLength == 64 && a.Address.Equals(IPAddress.Parse("fd00::1")));
        Assert.Contains(all, a => a.PrefixLength == 8 && a.Address.Equals(IPAddress.Loopback));
    }

    [Fact]
    public void Routes_of_a_real_kernel_are_read()
    {
        List<RouteRecord> all =
        [
            .. NetlinkDump.Parse<RouteRecord>(NetlinkDump.Load("routes4"), RouteMessage.TryParse),
            .. NetlinkDump.Parse<RouteRecord>(NetlinkDump.Load("routes6"), RouteMessage.TryParse),
        ];
        IEnumerable<string> ours = all.Where(route => route.Protocol == RouteEntry.Protocol)
            .Select(route => $"{route.Destination} {route.Gateway} {route.Metric} {route.Table}");
        Assert.Equal(
            ["0.0.0.0/0 10.0.0.254 0 254", "10.9.0.0/16 10.0.0.254 5 254", "fd01::/48 fd00::fe 1024 254"], ours);
    }

    [Fact]
    public void Forwarding_entries_and_neighbours_of_a_real_kernel_are_read()
    {
        List<NeighbourRecord> fdb = NetlinkDump.Parse<NeighbourRecord>(
            NetlinkDump.Load("fdb"), NeighbourMessage.TryParse);
        NeighbourRecord entry = Assert.Single(fdb, e => e.Destination is not null);
        Assert.Equal((Mac, IPAddress.Parse("192.0.2.7")), (entry.Mac!.Value, entry.Destination));
        Assert.Equal((Nda.Permanent, Nda.Self), (entry.State & Nda.Permanent, entry.Flags & Nda.Self));

        IEnumerable<string?> neighbours = NetlinkDump
            .Parse<NeighbourRecord>(NetlinkDump.Load("neighbours"), NeighbourMessage.TryParse)
            .Where(e => e.Mac == Mac && (e.State & Nda.Permanent) != 0)
            .Select(e => e.Destination?.ToString());
        Assert.Equal(["10.0.0.2", "fd00::2"], neighbours.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Every_prefix_of_a_dump_is_read_without_harm(string name)
    {
        byte[] bytes = NetlinkDump.Load(name);
        for (int length = 0; length < bytes.Length; length++)
        {
            // An array of just this length: reading past its end would throw.
            ReadEverything(bytes[..length]);
        }
    }

    [Theory]
    [MemberData(nameof(Dumps))]
    public void Mutated_dumps_are_read_without_harm(string name)
    {
        byte[] original = NetlinkDump.Load(name);
        Prng prng = new(7);
        for (int round = 0; round < 3000; round++)
        {
            byte[] bytes = [.. original.AsSpan(0, prng.Next(original.Length) + 1)];
            for (int change = prng.Next(8); change >= 0; change--)
            {
                bytes[prng.Next(bytes.Length)] = (byte)prng.Next(256);
            }

            ReadEverything(bytes);
        }
    }

    [Fact]
    public void Noise_is_read_without_harm()
    {
        Prng prng = new(11);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = new byte[prng.Next(200)];
            prng.Fill(bytes);
            if (bytes.Length >= 16)
            {
                // A plausible header, so that the noise reaches the parsers of attributes.
                BitConverter.TryWriteBytes(bytes, bytes.Length);
                BitConverter.TryWriteBytes(bytes.AsSpan(4), (ushort)(16 + prng.Next(16)));
            }

            ReadEverything(bytes);
        }
    }

    [Fact]
    public void A_message_that_claims_more_than_there_is_ends_the_walk()
    {
        byte[] bytes = NetlinkDump.Load("addresses");
        BitConverter.TryWriteBytes(bytes, bytes.Length + 1);
        MessageReader reader = new(bytes);
        Assert.False(reader.TryNext(out _));
        Assert.True(reader.Malformed);
    }

    [Fact]
    public void The_kernels_words_are_read_from_a_capped_and_from_a_full_error()
    {
        // nlmsghdr: length, NLMSG_ERROR, flags; nlmsgerr: -EEXIST, the request's header; NLMSGERR_ATTR_MSG "no".
        const string Text = "0700 0100 6e6f 0000";
        byte[] capped = Hex(
            "2c00 0000 0200 0003 0900 0000 0000 0000 efff ffff 2000 0000 1000 0506 0900 0000 0000 0000" + Text);
        byte[] full = Hex(
            "3c00 0000 0200 0002 0900 0000 0000 0000 efff ffff 2000 0000 1000 0506 0900 0000 0000 0000"
            + "0000 0000 0000 0000 0000 0000 0000 0000" + Text);
        foreach (byte[] bytes in new[] { capped, full })
        {
            MessageReader reader = new(bytes);
            Assert.True(reader.TryNext(out NetlinkMessage message));
            Assert.True(NetlinkReply.TryRead(message, out NetlinkReply reply));
            Assert.Equal(new NetlinkReply(17, "no"), reply);
        }
    }

    private static byte[] Hex(string text) =>
        Convert.FromHexString(text.Replace(" ", "", StringComparison.Ordinal));

    private static void ReadEverything(byte[] bytes)
    {
        NetlinkDump.Parse<LinkRecord>(bytes, LinkRecord.TryParse);
        NetlinkDump.Parse<AddressRecord>(bytes, AddressMessage.TryParse);
        NetlinkDump.Parse<RouteRecord>(bytes, RouteMessage.TryParse);
        NetlinkDump.Parse<NeighbourRecord>(bytes, NeighbourMessage.TryParse);
        NetlinkDump.Parse<int>(bytes, LinkMessage.TryParseNamespaceId);
        NetlinkDump.Parse<NetlinkReply>(bytes, NetlinkReply.TryRead);
        ChangeFilter.IsForeignChange(bytes);
    }
}

using System.Net;
using System.Runtime.CompilerServices;
using Overlay.Dataplane;
using Overlay.Linux.Events;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Linux.Rtnetlink;
using Overlay.Primitives;

namespace Overlay.Tests.Linux;

/// <summary>Requests byte by byte, written down from the kernel's headers (little-endian machine).</summary>
public sealed class NetlinkMessageTests
{
    private static readonly MacAddress Mac = new(0x0242_0a00_0002);

    [Fact]
    public void Structures_have_the_kernels_sizes()
    {
        Assert.Equal(12, Unsafe.SizeOf<SockAddrNl>());
        Assert.Equal(16, Unsafe.SizeOf<NlMsgHdr>());
        Assert.Equal(16, Unsafe.SizeOf<IfInfoMsg>());
        Assert.Equal(8, Unsafe.SizeOf<IfAddrMsg>());
        Assert.Equal(12, Unsafe.SizeOf<NdMsg>());
        Assert.Equal(12, Unsafe.SizeOf<RtMsg>());
        Assert.Equal(4, Unsafe.SizeOf<RtGenMsg>());
        Assert.Equal(4, Unsafe.SizeOf<NfGenMsg>());
    }

    [Fact]
    public void A_forwarding_entry_is_replaced() => AssertBytes(
        batch => NeighbourMessage.ReplaceFdb(batch, 5, new("vxlan0", Mac, IPAddress.Parse("192.0.2.7"))),
        "30000000 1c00 0105 09000000 00000000", // RTM_NEWNEIGH, REQUEST|REPLACE|CREATE
        "07 00 0000 05000000 8000 02 00", // AF_BRIDGE, index, NUD_PERMANENT, NTF_SELF
        "0a00 0200 02420a000002 0000", // NDA_LLADDR
        "0800 0100 c0000207"); // NDA_DST

    [Fact]
    public void A_group_entry_is_appended_because_the_kernel_replaces_none() => AssertBytes(
        batch => NeighbourMessage.ReplaceFdb(batch, 5, new("vxlan0", default, IPAddress.Parse("192.0.2.7"))),
        "30000000 1c00 010c 09000000 00000000",
        "07 00 0000 05000000 8000 02 00",
        "0a00 0200 000000000000 0000",
        "0800 0100 c0000207");

    [Fact]
    public void A_neighbour_is_replaced() => AssertBytes(
        batch => NeighbourMessage.Replace(batch, 5, new("vxlan0", IPAddress.Parse("fd00::2"), Mac)),
        "3c000000 1c00 0105 09000000 00000000",
        "0a 00 0000 05000000 8000 00 00",
        "1400 0100 fd000000000000000000000000000002",
        "0a00 0200 02420a000002 0000");

    [Fact]
    public void An_IPv6_address_is_replaced_without_duplicate_detection() => AssertBytes(
        batch => AddressMessage.Replace(batch, 3, new("eth0", IPAddress.Parse("fd00::2"), 64)),
        "40000000 1400 0105 09000000 00000000",
        "0a 40 02 00 03000000", // AF_INET6, /64, IFA_F_NODAD
        "1400 0200 fd000000000000000000000000000002",
        "1400 0100 fd000000000000000000000000000002");

    [Fact]
    public void A_default_route_is_replaced() => AssertBytes(
        batch => RouteMessage.Replace(
            batch, 3, new(IPNetwork.Parse("0.0.0.0/0"), IPAddress.Parse("10.0.0.1"), "eth0", 7)),
        "34000000 1800 0105 09000000 00000000",
        "02 00 00 00 fe 4f 00 01 00000000", // main table, protocol 79, universe, unicast
        "0800 0500 0a000001", // RTA_GATEWAY
        "0800 0400 03000000", // RTA_OIF
        "0800 0600 07000000"); // RTA_PRIORITY

    [Fact]
    public void A_route_is_deleted_whatever_its_scope() => AssertBytes(
        batch => RouteMessage.Delete(batch, 3, new(IPNetwork.Parse("10.9.0.0/16"), null, "eth0", 0)),
        "2c000000 1900 0100 09000000 00000000",
        "02 10 00 00 fe 4f ff 01 00000000", // RT_SCOPE_NOWHERE matches all
        "0800 0100 0a090000",
        "0800 0400 03000000");

    [Fact]
    public void A_VXLAN_device_is_made_in_its_namespace() => AssertBytes(
        batch => LinkMessage.Create(batch, Vxlan(), target: 20, master: 4),
        "90000000 1000 0106 09000000 00000000", // RTM_NEWLINK, REQUEST|EXCL|CREATE
        "00 00 0000 00000000 01000000 01000000", // IFF_UP
        "0b00 0300 76786c616e3000 00", // "vxlan0"
        "0800 1c00 14000000", // IFLA_NET_NS_FD
        "0800 0400 aa050000", // MTU 1450
        "0800 0a00 04000000", // master
        "4c00 1200", // IFLA_LINKINFO
        "0a00 0100 76786c616e00 0000",
        "3c00 0200",
        "0800 0100 01100000", // VNI 4097
        "0800 0400 c0000201", // local
        "0600 0f00 12b5 0000", // port 4789, network order
        "0500 0700 00 000000", // learning off
        "0500 0b00 01 000000",
        "0500 0d00 01 000000",
        "0500 0e00 01 000000");

    [Fact]
    public void Both_ends_of_a_pair_are_placed_at_once() => AssertBytes(
        batch => LinkMessage.CreatePair(
            batch,
            new() { Name = "v1", Kind = LinkKind.Veth },
            target: 20,
            master: 0,
            new() { Name = "e0", Kind = LinkKind.Veth, Mac = Mac },
            peerTarget: 21),
        "74000000 1000 0106 09000000 00000000",
        "00 00 0000 00000000 00000000 00000000",
        "0700 0300 763100 00",
        "0800 1c00 14000000",
        "4400 1200",
        "0900 0100 7665746800 000000", // "veth"
        "3400 0200",
        "3000 0100", // VETH_INFO_PEER with its own ifinfomsg
        "00 00 0000 00000000 00000000 00000000",
        "0700 0300 653000 00",
        "0800 1c00 15000000",
        "0a00 0100 02420a000002 0000");

    [Fact]
    public void Messages_of_a_batch_are_numbered_and_only_the_last_asks_for_an_answer()
    {
        MessageBuilder batch = new();
        batch.Clear(100);
        for (int i = 1; i <= 3; i++)
        {
            LinkMessage.Delete(batch, i);
        }

        batch.AcknowledgeLast();
        List<(uint Sequence, bool Ack)> seen = [];
        MessageReader reader = new(batch.Written);
        while (reader.TryNext(out NetlinkMessage message))
        {
            seen.Add((message.Header.Sequence, (message.Header.Flags & NetlinkConstants.Ack) != 0));
        }

        Assert.Equal([(100, false), (101, false), (102, true)], seen);
    }

    [Fact]
    public void Our_own_changes_are_told_from_foreign_ones()
    {
        MessageBuilder batch = new();
        batch.Clear(1);
        AddressMessage.Replace(batch, 3, new("eth0", IPAddress.Parse("10.0.0.1"), 24));
        byte[] bytes = batch.Written.ToArray();
        Assert.True(ChangeFilter.IsForeignChange(bytes));
        BitConverter.TryWriteBytes(bytes.AsSpan(12), OwnPorts.Make(77));
        Assert.False(ChangeFilter.IsForeignChange(bytes));
    }

    [Fact]
    public void Only_lasting_forwarding_entries_count_as_changes()
    {
        MessageBuilder batch = new();
        batch.Clear(1);
        NeighbourMessage.ReplaceFdb(batch, 5, new("vxlan0", Mac, IPAddress.Parse("192.0.2.7")));
        byte[] bytes = batch.Written.ToArray();
        Assert.True(ChangeFilter.IsForeignChange(bytes));
        bytes[26] = 0; // without NTF_SELF: what a bridge learns
        Assert.False(ChangeFilter.IsForeignChange(bytes));
    }

    private static LinkState Vxlan() => new()
    {
        Name = "vxlan0",
        Kind = LinkKind.Vxlan,
        Mtu = 1450,
        Up = true,
        Vxlan = new(new(4097), IPAddress.Parse("192.0.2.1"), 4789, false, true, true, true),
    };

    private static void AssertBytes(Action<MessageBuilder> write, params string[] expected)
    {
        MessageBuilder batch = new();
        batch.Clear(9);
        write(batch);
        string hex = string.Concat(expected).Replace(" ", "", StringComparison.Ordinal);
        Assert.Equal(hex, Convert.ToHexStringLower(batch.Written));
    }
}

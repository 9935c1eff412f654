using System.Net;
using Overlay.Daemon.Configuration;

namespace Overlay.Tests.Daemon.Configuration;

public sealed class AddressSelectionTests
{
    private static readonly HostAddress[] OneHost =
    [
        new("lo", IPAddress.Loopback),
        new("lo", IPAddress.IPv6Loopback),
        new("eth0", IPAddress.Parse("10.0.0.5")),
        new("eth0", IPAddress.Parse("2001:db8::5")),
        new("eth0", IPAddress.Parse("fe80::5")),
        new("docker0", IPAddress.Parse("172.17.0.1")),
        new("ovgw0", IPAddress.Parse("172.26.0.1")),
        new("br-0123456789ab", IPAddress.Parse("172.18.0.1")),
        new("usb0", IPAddress.Parse("169.254.3.4")),
    ];

    private static readonly HostAddress[] TwoHomes =
    [
        .. OneHost,
        new("eth1", IPAddress.Parse("192.168.1.5")),
        new("eth1", IPAddress.Parse("192.168.1.6")),
    ];

    [Theory]
    [InlineData("", "10.0.0.5", 0)]
    [InlineData("eth0", "10.0.0.5", 0)]
    [InlineData("eth0:2377", "10.0.0.5", 2377)]
    [InlineData("10.0.0.5", "10.0.0.5", 0)]
    [InlineData("10.0.0.5:99", "10.0.0.5", 99)]
    [InlineData("2001:db8::5", "2001:db8::5", 0)]
    [InlineData("[2001:db8::5]:99", "2001:db8::5", 99)]
    [InlineData("[2001:db8::5]", "2001:db8::5", 0)]
    [InlineData("docker0", "172.17.0.1", 0)]
    public void Chooses(string request, string address, int port) => Assert.Equal(
        new AddressChoice.Chosen(IPAddress.Parse(address), port),
        AddressSelection.Choose(AddressUse.Advertise, request, OneHost));

    [Fact]
    public void The_only_ipv6_address_serves_a_host_without_ipv4()
    {
        HostAddress[] host =
            [.. OneHost.Where(static a => a.Interface != "eth0" || a.Address.ToString() != "10.0.0.5")];
        Assert.Equal(
            new AddressChoice.Chosen(IPAddress.Parse("2001:db8::5"), 0),
            AddressSelection.Choose(AddressUse.Advertise, "", host));
    }

    [Fact]
    public void Listening_defaults_to_every_address_and_takes_an_unspecified_one()
    {
        Assert.Equal(
            new AddressChoice.Chosen(IPAddress.IPv6Any, 0), AddressSelection.Choose(AddressUse.Listen, "", TwoHomes));
        Assert.Equal(
            new AddressChoice.Chosen(IPAddress.Any, 7000),
            AddressSelection.Choose(AddressUse.Listen, "0.0.0.0:7000", TwoHomes));
        Assert.Equal(
            new AddressChoice.Chosen(IPAddress.Loopback, 0),
            AddressSelection.Choose(AddressUse.Listen, "127.0.0.1", TwoHomes));
        Assert.Equal(
            new AddressChoice.Chosen(IPAddress.Any, 0),
            AddressSelection.Choose(AddressUse.Listen, "", [new("eth0", IPAddress.Parse("10.0.0.5"))]));
    }

    [Theory]
    [InlineData(
        "",
        "this host has several addresses: 10.0.0.5 (eth0), 2001:db8::5 (eth0), 192.168.1.5 (eth1), 192.168.1.6 (eth1)",
        "Choose one, for example --advertise-addr 10.0.0.5")]
    [InlineData(
        "eth1", "interface eth1 has several addresses: 192.168.1.5 (eth1), 192.168.1.6 (eth1)",
        "Choose one, for example --advertise-addr 192.168.1.5")]
    [InlineData("eth9", "this host has no interface eth9 that is up and has an address", All)]
    [InlineData("10.0.0.6", "10.0.0.6 is not an address of this host", All)]
    [InlineData("0.0.0.0", "0.0.0.0 stands for every address and cannot be told to other hosts", All)]
    [InlineData("127.0.0.1", "127.0.0.1 is a loopback address, which other hosts cannot reach", All)]
    [InlineData("usb0", "interface usb0 has only 169.254.3.4", All)]
    [InlineData("10.0.0", "'10.0.0' is neither an address nor the name of an interface", All)]
    [InlineData("eth0:0", "'eth0:0' is neither an address nor the name of an interface", All)]
    public void Refuses_and_lists_what_is_possible(string request, string why, string next) => Assert.Equal(
        new AddressChoice.Refused("cannot choose the address that others reach this node at", why, next),
        AddressSelection.Choose(AddressUse.Advertise, request, TwoHomes));

    [Fact]
    public void The_data_path_has_no_port()
    {
        AddressChoice.Refused refused = Assert.IsType<AddressChoice.Refused>(
            AddressSelection.Choose(AddressUse.DataPath, "eth0:4789", OneHost));
        Assert.Equal("'eth0:4789' has a port", refused.Why);
        Assert.Equal("Leave the port out; --data-path-port of init sets it", refused.Next);
    }

    [Fact]
    public void A_host_without_addresses_is_told_so()
    {
        AddressChoice.Refused refused = Assert.IsType<AddressChoice.Refused>(
            AddressSelection.Choose(AddressUse.Advertise, "", [new("lo", IPAddress.Loopback)]));
        Assert.Equal("this host has no address that other hosts could reach", refused.Why);
        Assert.Equal("Give an interface an address, and name it with --advertise-addr", refused.Next);
    }

    [Fact]
    public void The_way_to_a_peer_decides_between_several_but_not_against_the_user()
    {
        IPAddress second = IPAddress.Parse("192.168.1.6");
        Assert.Equal(
            new AddressChoice.Chosen(second, 0), AddressSelection.Choose(AddressUse.Advertise, "", TwoHomes, second));
        Assert.Equal(
            new AddressChoice.Chosen(IPAddress.Parse("10.0.0.5"), 0),
            AddressSelection.Choose(AddressUse.Advertise, "eth0", TwoHomes, second));
        Assert.IsType<AddressChoice.Refused>(
            AddressSelection.Choose(AddressUse.Advertise, "", TwoHomes, IPAddress.Parse("172.17.0.1")));
    }

    [Fact]
    public void This_host_listens_where_it_is_told()
    {
        Assert.Equal(
            new IPEndPoint(IPAddress.Any, 2377),
            AddressSelection.SelectEndPoint("--listen-addr", "0.0.0.0", 2377).Value);
        Assert.Equal(
            new IPEndPoint(IPAddress.Loopback, 99),
            AddressSelection.SelectEndPoint("--listen-addr", "127.0.0.1:99", 2377).Value);
        Assert.True(AddressSelection.Select("--advertise-addr", "nosuchdev0").IsRefused);
        Assert.Equal(IPAddress.Loopback, HostAddresses.SourceTowards(new IPEndPoint(IPAddress.Loopback, 1)));
    }

    [Fact]
    public void This_host_can_be_listed() =>
        Assert.Contains(HostAddresses.Current(), static a => a.Interface == "lo" && IPAddress.IsLoopback(a.Address));

    private const string All =
        "Use --advertise-addr with one of 10.0.0.5 (eth0), 2001:db8::5 (eth0), 192.168.1.5 (eth1), 192.168.1.6 (eth1)";
}

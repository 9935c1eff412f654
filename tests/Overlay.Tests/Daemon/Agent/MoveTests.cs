using System.Net;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Manager.Peers;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Agent;

/// <summary>Where a node goes that is started with other settings.</summary>
public sealed class MoveTests
{
    private static readonly MembershipRecord Before = new()
    {
        ClusterId = "c1",
        NodeId = "0000000000001",
        GossipAddress = "127.0.0.2:7946",
        DataPathAddress = "127.0.0.2",
        ListenAddress = "127.0.0.2:2388",
        ControlAddress = "127.0.0.2:2388",
        Managers = ["127.0.0.9:2377"],
        Epoch = 3,
    };

    [Fact]
    public void The_node_is_the_same_and_goes_with_its_ports()
    {
        MembershipRecord moved = At("192.0.2.1", 2377).InPlaceOf(Before, keepsPort: true);
        Assert.Equal(
            ("192.0.2.1:7946", "192.0.2.1", "192.0.2.1:2388", "192.0.2.1:2388"),
            (moved.GossipAddress, moved.DataPathAddress, moved.ListenAddress, moved.ControlAddress));
        Assert.Equal(("c1", "0000000000001", 3UL, true), (moved.ClusterId, moved.NodeId, moved.Epoch, moved.HasMoved));
        Assert.Equal(Before.Managers, moved.Managers);
        Assert.Equal("192.0.2.1:2399", At("192.0.2.1", 2399).InPlaceOf(Before, keepsPort: false).ControlAddress);
    }

    [Fact]
    public void A_node_that_stays_has_not_moved_and_one_that_did_once_has()
    {
        Assert.Equal(Before, At("127.0.0.2", 2377).InPlaceOf(Before, keepsPort: true));
        MembershipRecord moved = At("192.0.2.1", 2377).InPlaceOf(Before, keepsPort: true);
        Assert.True(At("192.0.2.1", 2377).InPlaceOf(moved, keepsPort: true).HasMoved);
    }

    [Fact]
    public void Settings_that_say_nothing_of_addresses_move_nothing()
    {
        Assert.Equal("", AgentAddresses.AskedIn(Settings()));
        Assert.NotEqual(
            AgentAddresses.AskedIn(Settings(("advertise-addr", "192.0.2.1"))), AgentAddresses.AskedIn(Settings(("data-path-addr", "192.0.2.1"))));
    }

    [Fact]
    public void An_address_that_the_host_has_not_is_refused() =>
        Assert.Contains("192.0.2.77", AgentAddresses.Move(Settings(("advertise-addr", "192.0.2.77")), Before).Refusal!.ToString(), StringComparison.Ordinal);

    [Theory]
    [InlineData("192.0.2.7:2377", "192.0.2.7:2377")]
    [InlineData("[fd00::7]:2377", "[fd00::7]:2377")]
    [InlineData("", "")]
    [InlineData("192.0.2.7", "")]
    [InlineData("host7:2377", "")]
    public void A_manager_says_where_it_is_with_its_first_words(string said, string heard)
    {
        RaftHello hello = PeerHello.To(new MemberId(2), new PeerSelf("c1", new MemberId(1), 1) { Address = said }, RaftLane.Bulk);
        Assert.Equal(heard, PeerHello.AddressIn(hello));
    }

    private static AgentAddresses At(string address, int port)
    {
        IPAddress ip = IPAddress.Parse(address);
        return new(new(ip, 7000), ip, new(ip, port), new(ip, port));
    }

    private static AgentSettings Settings(params (string Name, string Value)[] texts)
    {
        SortedDictionary<string, IReadOnlyList<string>> given = new(StringComparer.Ordinal);
        foreach ((string name, string value) in texts)
        {
            given[name] = [value];
        }

        AgentSettings? read = new SettingsReader(static _ => null, static _ => null, "host1").Read(new(SettingOrigin.Flag, given), out _);
        return read ?? throw new InvalidOperationException("the settings are wrong");
    }
}

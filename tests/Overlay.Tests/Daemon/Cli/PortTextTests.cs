using Overlay.Daemon.Cli;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>Ports in words: what is read, what is said of what is not, and how they are shown.</summary>
public sealed class PortTextTests
{
    [Theory]
    [InlineData("80", "*:0->80/tcp")]
    [InlineData("8080:80", "*:8080->80/tcp")]
    [InlineData("53:53/udp", "*:53->53/udp")]
    [InlineData("published=8080,target=80,protocol=sctp,mode=host", "*:8080->80/sctp (host)")]
    [InlineData("published=443,target=443,ip=2001:db8::1", "[2001:db8::1]:443->443/tcp")]
    [InlineData("target=80,ip=192.0.2.1,interface=eth0,node-label=zone=a", "192.0.2.1:0->80/tcp on eth0 where zone=a")]
    public void What_is_read_is_shown(string text, string shown)
    {
        PublishedPort port = PortText.Parse(text, out string why)!;
        Assert.Equal(("", shown), (why, PortText.Of(port)));
        Assert.Equal(text.Contains("mode=host", StringComparison.Ordinal) ? PublishMode.Host : PublishMode.Unspecified, port.Mode);
    }

    [Theory]
    [InlineData("", "target is ''")]
    [InlineData("0", "target is '0': use a port from 1 to 65535")]
    [InlineData("65536", "target is '65536'")]
    [InlineData("a:80", "published is 'a'")]
    [InlineData("1:2:3", "[PUBLISHED:]TARGET[/PROTOCOL]")]
    [InlineData("80/icmp", "protocol is 'icmp': use tcp, udp or sctp")]
    [InlineData("80/tcp/udp", "[PUBLISHED:]TARGET[/PROTOCOL]")]
    [InlineData("published=80", "target is missing")]
    [InlineData("target=80,target=81", "target is given twice")]
    [InlineData("target=80,mode=both", "mode is 'both'")]
    [InlineData("target=80,host", "'host' has no value")]
    [InlineData("target=80,ip=", "ip is empty")]
    [InlineData("target=80,port=81", "there is no 'port'")]
    public void What_is_not_says_why(string text, string why)
    {
        Assert.Null(PortText.Parse(text, out string said));
        Assert.Contains(why, said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("80", 80, PortProtocol.Unspecified)]
    [InlineData("53/udp", 53, PortProtocol.Udp)]
    public void A_target_is_read(string text, uint target, PortProtocol protocol) =>
        Assert.Equal(new PublishedTarget { Target = target, Protocol = protocol }, PortText.ParseTarget(text));

    [Theory]
    [InlineData("")]
    [InlineData("80/")]
    [InlineData("8080:80")]
    [InlineData("80/tcp/udp")]
    public void Other_words_are_no_target(string text) => Assert.Null(PortText.ParseTarget(text));
}

using System.Net;
using Overlay.Cluster.Addresses;
using Overlay.Primitives;

namespace Overlay.Tests.Cluster;

public class PrefixTests
{
    [Theory]
    [InlineData("10.0.0.0/8")]
    [InlineData("0.0.0.0/0")]
    [InlineData("255.255.255.255/32")]
    [InlineData("fd00:1::/64")]
    [InlineData("::/0")]
    [InlineData("2001:db8::1/128")]
    public void Text_round_trips(string text) => Assert.Equal(text, Prefix.Parse(text).ToString());

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/+8")]
    [InlineData("10.0.0.0/ 8")]
    [InlineData("10.0.0.0/0008")]
    [InlineData("10.1/16")]
    [InlineData("010.0.0.0/8")]
    [InlineData("0x0a.0.0.0/8")]
    [InlineData("167772160/8")]
    [InlineData("10.0.0.1/24")]
    [InlineData("fe80::%eth0/64")]
    [InlineData("[fd00::]/64")]
    [InlineData("::ffff:10.0.0.0/104")]
    [InlineData("fd00::/129")]
    [InlineData("fd00::1/64")]
    [InlineData("10.0.0.0/8/8")]
    [InlineData("words")]
    public void Garbage_is_not_a_prefix(string? text) => Assert.False(Prefix.TryParse(text, out _));

    [Fact]
    public void Host_bits_are_told_apart_from_garbage()
    {
        Assert.True(Prefix.TryParseWithHostBits("10.1.2.3/16", out Prefix prefix, out Address given));
        Assert.Equal("10.1.0.0/16", prefix.ToString());
        Assert.Equal("10.1.2.3", given.ToString());
    }

    [Fact]
    public void Edges_are_counted_right()
    {
        Prefix v4 = Prefix.Parse("10.0.1.0/24");
        Assert.Equal("10.0.1.255", v4.Last.ToString());
        Assert.Equal((UInt128)256, v4.Count);
        Assert.Equal(UInt128.One << 32, Prefix.Parse("0.0.0.0/0").Count);
        Assert.Equal(UInt128.MaxValue, Prefix.Parse("::/0").Count);
        Assert.Equal("fd00::1:ffff:ffff:ffff:ffff", Prefix.Parse("fd00:0:0:1::/64").Last.ToString());
    }

    [Fact]
    public void Families_never_overlap()
    {
        Assert.False(Prefix.Parse("0.0.0.0/0").Overlaps(Prefix.Parse("::/0")));
        Assert.False(Prefix.Parse("0.0.0.0/0").Contains(Address.Parse("::1")));
        Assert.True(Prefix.Parse("10.0.0.0/8").Overlaps(Prefix.Parse("10.3.0.0/16")));
        Assert.True(Prefix.Parse("10.3.0.0/16").Overlaps(Prefix.Parse("10.0.0.0/8")));
        Assert.False(Prefix.Parse("10.3.0.0/16").Contains(Prefix.Parse("10.0.0.0/8")));
        Assert.False(Prefix.Parse("10.0.0.0/24").Overlaps(Prefix.Parse("10.0.1.0/24")));
    }

    [Fact]
    public void Overlap_agrees_with_the_platform_on_random_prefixes()
    {
        Prng prng = new(5);
        for (int i = 0; i < 2000; i++)
        {
            Prefix a = Prefix.Around(new(false, prng.NextUInt64() & 0xff), 24 + prng.Next(9));
            Prefix b = Prefix.Around(new(false, prng.NextUInt64() & 0xff), 24 + prng.Next(9));
            IPNetwork left = a.ToIPNetwork();
            IPNetwork right = b.ToIPNetwork();
            bool overlap = left.Contains(right.BaseAddress) || right.Contains(left.BaseAddress);
            Assert.Equal(overlap, a.Overlaps(b));
        }
    }

    [Fact]
    public void Mutations_of_prefixes_never_throw()
    {
        Prng prng = new(9);
        char[] alphabet = [.. "0123456789abcdef:./%[] -x\0é"];
        for (int i = 0; i < 5000; i++)
        {
            char[] text = "fd00:10::1.2.3.4/64".ToCharArray(prng.Next(10), 9);
            text[prng.Next(9)] = alphabet[prng.Next(alphabet.Length)];
            if (Prefix.TryParse(new string(text), out Prefix prefix))
            {
                Assert.Equal(prefix, Prefix.Parse(prefix.ToString()));
            }
        }
    }
}

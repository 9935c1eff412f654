using System.Net;
using Overlay.Daemon.Configuration;
using Overlay.Primitives;

namespace Overlay.Tests.Daemon.Configuration;

public sealed class TextFormTests
{
    [Theory]
    [InlineData("500ms", 500)]
    [InlineData("30s", 30_000)]
    [InlineData("1h30m", 5_400_000)]
    [InlineData("1d2h3m4s5ms", 93_784_005)]
    [InlineData("90d", 7_776_000_000)]
    [InlineData("0s", 0)]
    public void Durations_are_read(string text, long milliseconds)
    {
        Assert.True(DurationText.TryParse(text, out TimeSpan duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1.5h")]
    [InlineData("1m1h")]
    [InlineData("1s1s")]
    [InlineData("1w")]
    [InlineData("1 s")]
    [InlineData("99999d")]
    [InlineData("99999999999s")]
    [InlineData("1s1ms1")]
    public void Other_texts_are_no_durations(string? text) => Assert.False(DurationText.TryParse(text, out _));

    [Theory]
    [InlineData("10.1")]
    [InlineData("010.0.0.1")]
    [InlineData("0x7f000001")]
    [InlineData("1")]
    [InlineData("[::1]")]
    [InlineData("")]
    public void Odd_spellings_of_addresses_are_refused(string text) => Assert.False(AddressText.TryParse(text, out _));

    [Theory]
    [InlineData("10.0.0.1")]
    [InlineData("::1:80")]
    [InlineData("10.0.0.1:0")]
    [InlineData("10.0.0.1:65536")]
    [InlineData("10.0.0.1:+80")]
    [InlineData("[10.0.0.1]:80")]
    [InlineData(":80")]
    public void An_address_with_a_port_has_both(string text) => Assert.False(AddressText.TryParseWithPort(text, out _));

    [Theory]
    [InlineData("10.1.0.0/24", true)]
    [InlineData("fd00:1::/64", true)]
    [InlineData("0.0.0.0/0", true)]
    [InlineData("10.1.0.7/24", false)]
    [InlineData("fd00:1::1/64", false)]
    [InlineData("10.1.0.0/33", false)]
    [InlineData("10.1.0.0/", false)]
    [InlineData("10.1.0.0", false)]
    [InlineData("10.1/16", false)]
    [InlineData("10.1.0.0/+24", false)]
    [InlineData("10.1.0.0/255.255.255.0", false)]
    public void A_prefix_has_no_bits_after_its_length(string text, bool valid) =>
        Assert.Equal(valid, AddressText.TryParsePrefix(text, out _));

    [Fact]
    public void An_address_with_a_port_is_read()
    {
        Assert.True(AddressText.TryParseWithPort("[fd00::1]:80", out IPEndPoint endpoint));
        Assert.Equal(new IPEndPoint(IPAddress.Parse("fd00::1"), 80), endpoint);
    }

    [Theory]
    [InlineData("netwrok", "network")]
    [InlineData("net", "network")]
    [InlineData("nodes", "node")]
    [InlineData("xyz", null)]
    [InlineData("", null)]
    public void Misspelt_words_find_the_nearest(string word, string? expected) =>
        Assert.Equal(expected, Spelling.Nearest(word, ["network", "node", "status"]));

    [Fact]
    public void Random_texts_never_throw()
    {
        Prng random = new(20261121);
        const string Alphabet = "0123456789abcdefhmsx:.[]/-%, \0é";
        for (int round = 0; round < 20_000; round++)
        {
            string text = string.Create(random.Next(20), random, static (span, prng) =>
            {
                for (int i = 0; i < span.Length; i++)
                {
                    span[i] = Alphabet[prng.Next(Alphabet.Length)];
                }
            });
            _ = DurationText.TryParse(text, out _);
            _ = AddressText.TryParseWithPort(text, out _);
            _ = AddressText.TryParsePrefix(text, out _);
            _ = AddressRequest.TryParse(text, out _);
            _ = SettingText.Pool(text, out _, out _);
            _ = SettingText.HostName(text, out _, out _);
            _ = Spelling.Nearest(text, ["network"]);
        }
    }
}

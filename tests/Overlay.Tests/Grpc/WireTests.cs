using Grpc.Core;
using Grpc.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Grpc;

public sealed class WireTests
{
    [Theory]
    [InlineData("1H", 3600.0)]
    [InlineData("2M", 120.0)]
    [InlineData("3S", 3.0)]
    [InlineData("00000004m", 0.004)]
    [InlineData("5u", 0.000005)]
    [InlineData("600n", 0.0000006)]
    public void A_timeout_is_read(string text, double seconds)
    {
        Assert.True(WireTimeout.TryParse(text, out TimeSpan timeout));
        Assert.Equal(seconds, timeout.TotalSeconds, 9);
    }

    [Theory]
    [InlineData("")]
    [InlineData("S")]
    [InlineData("1")]
    [InlineData("-1S")]
    [InlineData("+1S")]
    [InlineData(" 1S")]
    [InlineData("1s")]
    [InlineData("1.5S")]
    [InlineData("123456789S")]
    public void What_is_no_timeout_is_refused(string text) => Assert.False(WireTimeout.TryParse(text, out _));

    [Fact]
    public void A_written_timeout_is_never_shorter_and_hardly_longer()
    {
        Prng prng = new(7);
        for (int i = 0; i < 2000; i++)
        {
            TimeSpan timeout = new((long)(prng.NextUInt64() >> (1 + prng.Next(62))));
            string text = WireTimeout.Format(timeout);
            if (timeout > TimeSpan.FromHours(99_999_999))
            {
                continue;
            }

            Assert.True(WireTimeout.TryParse(text, out TimeSpan read), text);
            Assert.True(read >= timeout, $"{timeout} as {text}");
            Assert.True(read - timeout <= timeout / 1000 + TimeSpan.FromMicroseconds(1), $"{timeout} as {text}");
        }
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("100%", "100%25")]
    [InlineData("a\nb", "a%0Ab")]
    [InlineData("ü", "%C3%BC")]
    public void Text_is_percent_encoded_and_back(string text, string encoded)
    {
        Assert.Equal(encoded, StatusText.Encode(text));
        Assert.Equal(text, StatusText.Decode(encoded));
    }

    [Theory]
    [InlineData("%", "%")]
    [InlineData("%4", "%4")]
    [InlineData("%zz%41", "%zzA")]
    public void Text_that_is_badly_encoded_is_kept(string encoded, string text) =>
        Assert.Equal(text, StatusText.Decode(encoded));

    [Fact]
    public void Text_is_cut_at_a_whole_character()
    {
        string encoded = StatusText.Encode(new string('ü', 10_000));
        Assert.InRange(encoded.Length, StatusText.MaxEncodedLength - 6, StatusText.MaxEncodedLength);
        Assert.Matches("^ü+$", StatusText.Decode(encoded));
    }

    [Fact]
    public void Binary_metadata_is_read_with_and_without_padding_and_in_lists()
    {
        Metadata metadata = [];
        MetadataHeaders.Decode("a-bin", "AQI=", metadata);
        MetadataHeaders.Decode("a-bin", "AQI", metadata);
        MetadataHeaders.Decode("a-bin", "AQ, Ag==,", metadata);
        Assert.Equal([[1, 2], [1, 2], [1], [2], []], metadata.Select(entry => entry.ValueBytes));
    }

    [Theory]
    [InlineData("a-bin", "A")]
    [InlineData("a-bin", "A=B=")]
    [InlineData("a-bin", "ÄÖÜÄ")]
    [InlineData("grpc-status", "0")]
    [InlineData(":path", "/")]
    [InlineData("TE", "trailers")]
    [InlineData("bad key", "x")]
    public void What_is_no_metadata_is_left_out(string key, string value)
    {
        Metadata metadata = [];
        MetadataHeaders.Decode(key, value, metadata);
        Assert.Empty(metadata);
    }

    [Fact]
    public void Metadata_refuses_keys_and_values_that_do_not_fit()
    {
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("a b", "x"));
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("", "x"));
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("a-bin", "x"));
        Assert.Throws<ArgumentException>(() => new Metadata.Entry("a", [1]));
        Assert.Throws<InvalidOperationException>(() => Metadata.Empty.Add("a", "x"));
        Assert.Throws<RpcException>(() => MetadataHeaders.Encode(new Metadata.Entry("a", "line\nbreak")));
        Assert.Throws<RpcException>(() => MetadataHeaders.Encode(new Metadata.Entry("grpc-timeout", "1S")));
        Assert.Equal("a", new Metadata.Entry("A", "x").Key);
    }
}

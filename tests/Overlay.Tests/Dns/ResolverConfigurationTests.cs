using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Tests.Dns;

public sealed class ResolverConfigurationTests
{
    [Fact]
    public void A_usual_file()
    {
        ResolverConfiguration parsed = ResolverConfiguration.Parse("""
            # made by a program
            ; another comment
            domain old.example
            nameserver 192.0.2.1
            nameserver   2001:db8::1
            	nameserver fe80::1%1
            nameserver 192.0.2.4
            search corp.example  lab.example.
            options edns0 ndots:2 trust-ad
            """);
        Assert.Equal(["192.0.2.1", "2001:db8::1", "fe80::1%1"], parsed.Servers.Select(static s => s.ToString()));
        Assert.Equal(["corp.example", "lab.example."], parsed.Search);
        Assert.Equal(2, parsed.Ndots);
    }

    [Theory]
    [InlineData("", 0, 0, 1)]
    [InlineData("nameserver", 0, 0, 1)]
    [InlineData("nameserver localhost\nnameserver 10.1\nnameserver 1.2.3.4", 1, 0, 1)]
    [InlineData("search\noptions\n\n\r\nsearch ..  a..b ok", 0, 1, 1)]
    [InlineData("options ndots:99", 0, 0, 15)]
    [InlineData("options ndots:-1 ndots:x ndots:", 0, 0, 1)]
    [InlineData("options ndots:0", 0, 0, 0)]
    [InlineData("domain one two", 0, 1, 1)]
    public void Odd_files(string text, int servers, int search, int ndots)
    {
        ResolverConfiguration parsed = ResolverConfiguration.Parse(text);
        Assert.Equal((servers, search, ndots), (parsed.Servers.Length, parsed.Search.Length, parsed.Ndots));
    }

    [Fact]
    public void Everything_is_bounded()
    {
        string search = "search " + string.Join(' ', Enumerable.Range(0, 10_000).Select(static i => $"d{i}.example"));
        Assert.Equal(ResolverConfiguration.MaxSearchDomains, ResolverConfiguration.Parse(search).Search.Length);
        string servers = string.Concat(Enumerable.Repeat("nameserver 192.0.2.1\n", 1_000_000));
        Assert.Equal(ResolverConfiguration.MaxServers, ResolverConfiguration.Parse(servers).Servers.Length);
        Assert.Empty(ResolverConfiguration.Parse(new string('#', 70_000) + "\nnameserver 192.0.2.1").Servers);
    }

    [Fact]
    public void Noise()
    {
        Prng prng = new(11);
        char[] alphabet = [.. "nameserver search options ndots: 0123456789.:%\n\r\t#;\0ü"];
        for (int round = 0; round < 5_000; round++)
        {
            char[] text = new char[prng.Next(300)];
            for (int i = 0; i < text.Length; i++)
            {
                text[i] = alphabet[prng.Next(alphabet.Length)];
            }

            Assert.InRange(ResolverConfiguration.Parse(text).Ndots, 0, ResolverConfiguration.MaxNdots);
        }
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Overlay.Dns;

/// <summary>
/// What a resolv.conf says (resolv.conf(5)), as far as a forwarder needs it. Lines it can not use are skipped.
/// </summary>
public sealed record ResolverConfiguration
{
    public const int MaxServers = 3;
    public const int MaxSearchDomains = 32;
    public const int MaxNdots = 15;

    /// <summary>Characters read at most; a real file has a few hundred.</summary>
    public const int MaxText = 65_536;

    public static readonly ResolverConfiguration Empty = new();

    private const int LongestDomain = 253;

    /// <summary>The servers in the order of the file; link-local IPv6 addresses keep their scope.</summary>
    public ImmutableArray<IPAddress> Servers { get; init; } = [];

    public ImmutableArray<string> Search { get; init; } = [];

    /// <summary>
    /// Dots from which on a name is tried as it is before the search domains; 1 if the file is silent.
    /// </summary>
    public int Ndots { get; init; } = 1;

    public static ResolverConfiguration Parse(ReadOnlySpan<char> text)
    {
        text = text[..Math.Min(text.Length, MaxText)];
        ImmutableArray<IPAddress>.Builder servers = ImmutableArray.CreateBuilder<IPAddress>();
        ImmutableArray<string> search = [];
        int ndots = 1;
        Span<Range> words = stackalloc Range[MaxSearchDomains + 2];
        foreach (ReadOnlySpan<char> rawLine in text.EnumerateLines())
        {
            ReadOnlySpan<char> line = rawLine.Trim();
            if (line.IsEmpty || line[0] is '#' or ';')
            {
                continue;
            }

            int count = Split(line, words);
            ReadOnlySpan<char> keyword = line[words[0]];
            ReadOnlySpan<Range> values = words[1..count];
            if (keyword is "nameserver")
            {
                if (servers.Count < MaxServers && values is [var first, ..]
                    && TryParseServer(line[first], out IPAddress? server))
                {
                    servers.Add(server);
                }
            }
            else if (keyword is "search" or "domain")
            {
                search = Domains(line, keyword is "domain" && values.Length > 1 ? values[..1] : values);
            }
            else if (keyword is "options")
            {
                ndots = Dots(line, values) ?? ndots;
            }
        }

        return new() { Servers = servers.ToImmutable(), Search = search, Ndots = ndots };
    }

    private static int Split(ReadOnlySpan<char> line, Span<Range> words)
    {
        int count = 0;
        int at = 0;
        while (count < words.Length)
        {
            while (at < line.Length && char.IsWhiteSpace(line[at]))
            {
                at++;
            }

            if (at == line.Length)
            {
                break;
            }

            int start = at;
            while (at < line.Length && !char.IsWhiteSpace(line[at]))
            {
                at++;
            }

            words[count++] = start..at;
        }

        return count;
    }

    /// <summary>Rejects short forms such as "10.1", which the parser of .NET would take for 10.0.0.1.</summary>
    private static bool TryParseServer(
        ReadOnlySpan<char> text, [NotNullWhen(true)] out IPAddress? server) =>
        IPAddress.TryParse(text, out server) && (text.Contains(':') || text.Count('.') == 3);

    private static ImmutableArray<string> Domains(ReadOnlySpan<char> line, ReadOnlySpan<Range> values)
    {
        Span<byte> wire = stackalloc byte[WireName.MaxLength];
        ImmutableArray<string>.Builder domains = ImmutableArray.CreateBuilder<string>();
        foreach (Range value in values)
        {
            ReadOnlySpan<char> domain = line[value];
            bool isUsable = domain is "."
                || (domain.Length <= LongestDomain && WireName.TryEncode(domain, wire, out _));
            if (isUsable && domains.Count < MaxSearchDomains)
            {
                domains.Add(domain.ToString());
            }
        }

        return domains.ToImmutable();
    }

    private static int? Dots(ReadOnlySpan<char> line, ReadOnlySpan<Range> values)
    {
        const string prefix = "ndots:";
        int? dots = null;
        foreach (Range value in values)
        {
            ReadOnlySpan<char> option = line[value];
            if (option.StartsWith(prefix, StringComparison.Ordinal)
                && int.TryParse(
                    option[prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out int parsed))
            {
                dots = Math.Min(parsed, MaxNdots);
            }
        }

        return dots;
    }
}

using System.Collections.Immutable;
using System.Text.RegularExpressions;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>Whom a query is for: 0x00 and a list of names, or 0x01 and a tag with an expression for its value.</summary>
internal static class QueryFilter
{
    private const byte ByNode = 0;
    private const byte ByTag = 1;
    private const int MaxExpression = 512;

    public static byte[] Nodes(IReadOnlyList<string> names)
    {
        System.Buffers.ArrayBufferWriter<byte> output = new(64);
        output.GetSpan(1)[0] = ByNode;
        output.Advance(1);
        MsgPackWriter writer = new(output);
        writer.ArrayHeader(names.Count);
        foreach (string name in names)
        {
            writer.String(name);
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>False for a filter that is not understood too.</summary>
    public static bool Passes(ReadOnlySpan<byte> filter, string self, ImmutableSortedDictionary<string, string> tags) =>
        filter switch
        {
            [ByNode, .. var names] => Names(names, self),
            [ByTag, .. var expression] => Matches(expression, tags),
            _ => false,
        };

    private static bool Names(ReadOnlySpan<byte> bytes, string self)
    {
        MsgPackReader reader = new(bytes);
        int count = reader.ReadArrayHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            if (reader.ReadString(WireLimits.MaxName) == self && !reader.Failed)
            {
                return true;
            }
        }

        return false;
    }

    private static bool Matches(ReadOnlySpan<byte> bytes, ImmutableSortedDictionary<string, string> tags)
    {
        MsgPackReader reader = new(bytes);
        string tag = "";
        string expression = "";
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("Tag"u8))
            {
                tag = reader.ReadString(WireLimits.MaxMeta);
            }
            else if (key.SequenceEqual("Expr"u8))
            {
                expression = reader.ReadString(MaxExpression);
            }
            else
            {
                reader.Skip();
            }
        }

        if (reader.Failed)
        {
            return false;
        }

        try
        {
            // Without backtracking the time is linear, whatever the expression is; a tag that is missing is empty.
            return Regex.IsMatch(
                tags.TryGetValue(tag, out string? value) ? value : "", expression, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }
}

using System.Buffers.Binary;

namespace Overlay.Dns;

/// <summary>What makes two queries the same question: all of a query but its id and the case of its name.</summary>
internal static class QuestionKey
{
    /// <summary>An EDNS record without options: root, type, payload, TTL field and length.</summary>
    private const int PlainEdns = 11;

    private const int Internet = 1;

    public static IComparer<byte[]> Order { get; } = Comparer<byte[]>.Create(static (x, y) => x.AsSpan().SequenceCompareTo(y));

    /// <summary>Null: the answer is for this one query alone, as it has options (cookies, the client's subnet) or asks for no data.</summary>
    /// <param name="query">A query that was parsed.</param>
    /// <param name="questionEnd">Where its question ends.</param>
    public static byte[]? Of(ReadOnlySpan<byte> query, int questionEnd)
    {
        int rest = query.Length - questionEnd;
        bool isPlain = rest == 0 || (rest == PlainEdns && BinaryPrimitives.ReadUInt16BigEndian(query[^2..]) == 0);
        if (!isPlain || BinaryPrimitives.ReadUInt16BigEndian(query[(questionEnd - 2)..]) != Internet
            || (RecordType)BinaryPrimitives.ReadUInt16BigEndian(query[(questionEnd - 4)..]) is
                (>= RecordType.FirstMeta and <= RecordType.Any) or RecordType.Opt)
        {
            return null;
        }

        byte[] key = query[2..].ToArray();
        WireName.CopyLower(query[WireName.HeaderLength..(questionEnd - 4)], key.AsSpan(WireName.HeaderLength - 2));
        return key;
    }
}

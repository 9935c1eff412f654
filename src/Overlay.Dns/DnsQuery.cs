using System.Buffers.Binary;

namespace Overlay.Dns;

/// <summary>What the parser thinks of a query.</summary>
internal enum QueryVerdict
{
    Valid,

    /// <summary>Shorter than a header: nothing to answer to.</summary>
    TooShort,

    /// <summary>A response. Answering one could start an endless exchange.</summary>
    IsResponse,

    UnknownOperation,
    Malformed,
    UnknownEdnsVersion,
}

/// <summary>The parsed head of a query: one question (RFC 1035 §4.1) and the EDNS record, if any (RFC 6891).</summary>
internal ref struct DnsQuery
{
    public ushort Id;
    public ushort Flags;

    /// <summary>The name asked for: wire form, lower case, without the root label.</summary>
    public ReadOnlySpan<byte> Name;

    public RecordType Type;
    public ushort Class;

    /// <summary>The question as it was sent, to be echoed with its case.</summary>
    public ReadOnlySpan<byte> Question;

    public bool HasEdns;

    /// <summary>The DO bit (RFC 3225), which is to be copied into the answer.</summary>
    public bool DnssecOk;

    /// <summary>Bytes of the largest UDP answer that the client takes.</summary>
    public ushort UdpPayload;

    private const int ShortestRecord = 11;
    private const int ClassicUdpPayload = 512;

    /// <summary>Reads a query. What was read before a fault was found stays set.</summary>
    /// <param name="names">Room for two names: the question's and those of further records.</param>
    public static QueryVerdict Read(ReadOnlySpan<byte> message, Span<byte> names, out DnsQuery query)
    {
        query = default;
        query.UdpPayload = ClassicUdpPayload;
        if (message.Length < WireName.HeaderLength)
        {
            return QueryVerdict.TooShort;
        }

        query.Id = BinaryPrimitives.ReadUInt16BigEndian(message);
        query.Flags = BinaryPrimitives.ReadUInt16BigEndian(message[2..]);
        if ((query.Flags & HeaderFlags.Response) != 0)
        {
            return QueryVerdict.IsResponse;
        }

        if ((query.Flags & HeaderFlags.OperationMask) != 0)
        {
            return QueryVerdict.UnknownOperation;
        }

        int offset = WireName.HeaderLength;
        if (BinaryPrimitives.ReadUInt16BigEndian(message[4..]) != 1
            || !WireName.TryRead(message, ref offset, names[..WireName.MaxLength], out int nameLength)
            || message.Length - offset < 4)
        {
            return QueryVerdict.Malformed;
        }

        query.Name = names[..nameLength];
        query.Type = (RecordType)BinaryPrimitives.ReadUInt16BigEndian(message[offset..]);
        query.Class = BinaryPrimitives.ReadUInt16BigEndian(message[(offset + 2)..]);
        offset += 4;
        query.Question = message[WireName.HeaderLength..offset];
        return query.ReadRecords(message, offset, names[WireName.MaxLength..]);
    }

    /// <summary>Walks over all further records, looking for the one EDNS record among the additional ones.</summary>
    private QueryVerdict ReadRecords(ReadOnlySpan<byte> message, int offset, Span<byte> scratch)
    {
        int answers = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        int before = answers + BinaryPrimitives.ReadUInt16BigEndian(message[8..]);
        int count = before + BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        if ((long)count * ShortestRecord > message.Length - offset)
        {
            return QueryVerdict.Malformed;
        }

        QueryVerdict verdict = QueryVerdict.Valid;
        for (int i = 0; i < count; i++)
        {
            if (!WireName.TryRead(message, ref offset, scratch, out int nameLength) || message.Length - offset < 10)
            {
                return QueryVerdict.Malformed;
            }

            ReadOnlySpan<byte> fields = message[offset..];
            int dataLength = BinaryPrimitives.ReadUInt16BigEndian(fields[8..]);
            offset += 10 + dataLength;
            if (offset > message.Length)
            {
                return QueryVerdict.Malformed;
            }

            if ((RecordType)BinaryPrimitives.ReadUInt16BigEndian(fields) == RecordType.Opt)
            {
                if (i < before || HasEdns || nameLength != 0)
                {
                    return QueryVerdict.Malformed;
                }

                verdict = ReadEdns(fields);
            }
        }

        return verdict;
    }

    private QueryVerdict ReadEdns(ReadOnlySpan<byte> fields)
    {
        HasEdns = true;
        UdpPayload = Math.Max((ushort)ClassicUdpPayload, BinaryPrimitives.ReadUInt16BigEndian(fields[2..]));
        DnssecOk = (fields[6] & 0x80) != 0;
        return fields[5] == 0 ? QueryVerdict.Valid : QueryVerdict.UnknownEdnsVersion;
    }
}

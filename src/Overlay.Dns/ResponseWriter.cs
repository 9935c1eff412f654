using System.Buffers.Binary;

namespace Overlay.Dns;

/// <summary>
/// Writes one response. The owner of every record is a pointer into the question, at offset 12. Room for the EDNS
/// record is kept from the start; a record that does not fit sets the truncation bit and is left out whole.
/// </summary>
internal ref struct ResponseWriter
{
    private const int EdnsLength = 11;
    private const ushort ClassInternet = 1;
    private readonly Span<byte> buffer;
    private readonly DnsQuery query;
    private readonly int limit;
    private int position;
    private ushort answers;
    private ushort authorities;

    public ResponseWriter(in DnsQuery query, Span<byte> buffer, int limit)
    {
        this.query = query;
        this.buffer = buffer;
        this.limit = Math.Min(limit, buffer.Length) - (query.HasEdns ? EdnsLength : 0);
        position = WireName.HeaderLength + query.Question.Length;
        HasRoom = position <= this.limit;
        if (HasRoom)
        {
            query.Question.CopyTo(buffer[WireName.HeaderLength..]);
        }
    }

    public bool HasRoom { get; }

    public bool IsTruncated { get; private set; }

    public bool AddIpv4(uint address, uint ttl)
    {
        if (!TryStart(WireName.HeaderLength, RecordType.A, ttl, 4))
        {
            return false;
        }

        BinaryPrimitives.WriteUInt32BigEndian(buffer[position..], address);
        position += 4;
        answers++;
        return true;
    }

    public bool AddIpv6(UInt128 address, uint ttl)
    {
        if (!TryStart(WireName.HeaderLength, RecordType.Aaaa, ttl, 16))
        {
            return false;
        }

        BinaryPrimitives.WriteUInt128BigEndian(buffer[position..], address);
        position += 16;
        answers++;
        return true;
    }

    public void AddPointer(ReadOnlySpan<byte> name, uint ttl)
    {
        if (TryStart(WireName.HeaderLength, RecordType.DomainPointer, ttl, name.Length))
        {
            name.CopyTo(buffer[position..]);
            position += name.Length;
            answers++;
        }
    }

    /// <summary>
    /// The start of authority, which tells for how long a negative answer may be kept (RFC 2308 §3).
    /// </summary>
    /// <param name="ownerOffset">Where in the question's name the zone's own name begins.</param>
    /// <param name="asAnswer">The record itself was asked for.</param>
    public void AddStartOfAuthority(int ownerOffset, uint negativeTtl, bool asAnswer)
    {
        int owner = WireName.HeaderLength + ownerOffset;
        ReadOnlySpan<byte> mailbox = "\u000Ahostmaster"u8;
        if (!TryStart(owner, RecordType.Soa, negativeTtl, 2 + mailbox.Length + 2 + 20))
        {
            return;
        }

        WriteUInt16((ushort)(0xC000 | owner));
        mailbox.CopyTo(buffer[position..]);
        position += mailbox.Length;
        WriteUInt16((ushort)(0xC000 | owner));
        WriteUInt32(1);           // serial: nobody transfers this zone
        WriteUInt32(negativeTtl); // refresh
        WriteUInt32(negativeTtl); // retry
        WriteUInt32(negativeTtl); // expire
        WriteUInt32(negativeTtl); // minimum: the time to live of a negative answer
        if (asAnswer)
        {
            answers++;
        }
        else
        {
            authorities++;
        }
    }

    /// <summary>Closes the response and returns its length.</summary>
    public int Finish(ResponseCode code, bool isAuthoritative, int maxUdpPayload)
    {
        const ushort copied = HeaderFlags.OperationMask | HeaderFlags.RecursionDesired | HeaderFlags.CheckingDisabled;
        ushort flags = (ushort)(HeaderFlags.Response | HeaderFlags.RecursionAvailable | (query.Flags & copied)
            | (isAuthoritative ? HeaderFlags.Authoritative : 0)
            | (IsTruncated ? HeaderFlags.Truncated : 0)
            | ((int)code & HeaderFlags.CodeMask));
        BinaryPrimitives.WriteUInt16BigEndian(buffer, query.Id);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[2..], flags);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[4..], (ushort)(query.Question.IsEmpty ? 0 : 1));
        BinaryPrimitives.WriteUInt16BigEndian(buffer[6..], answers);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[8..], authorities);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[10..], (ushort)(query.HasEdns ? 1 : 0));
        if (query.HasEdns)
        {
            buffer[position++] = 0;
            WriteUInt16((ushort)RecordType.Opt);
            WriteUInt16((ushort)maxUdpPayload);
            buffer[position++] = (byte)((int)code >> 4);
            buffer[position++] = 0;
            WriteUInt16((ushort)(query.DnssecOk ? 0x8000 : 0));
            WriteUInt16(0);
        }

        return position;
    }

    private bool TryStart(int owner, RecordType type, uint ttl, int dataLength)
    {
        if (IsTruncated || position + 12 + dataLength > limit)
        {
            IsTruncated = true;
            return false;
        }

        WriteUInt16((ushort)(0xC000 | owner));
        WriteUInt16((ushort)type);
        WriteUInt16(ClassInternet);
        WriteUInt32(ttl);
        WriteUInt16((ushort)dataLength);
        return true;
    }

    private void WriteUInt16(ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(buffer[position..], value);
        position += 2;
    }

    private void WriteUInt32(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(buffer[position..], value);
        position += 4;
    }
}

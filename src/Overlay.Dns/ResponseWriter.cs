using System.Buffers.Binary;

namespace Overlay.Dns;

/// <summary>
/// Writes one response. The owner of every record is a pointer: into the question, at offset 12, or to the target that an
/// additional address belongs to. Room for the EDNS record is kept from the start; a record that does not fit sets the
/// truncation bit and is left out whole, but for an additional one, without which the answer is complete (RFC 2181 §9).
/// </summary>
internal ref struct ResponseWriter
{
    private const int EdnsLength = 11;
    private const ushort ClassInternet = 1;

    /// <summary>Type, class, TTL and length of a record.</summary>
    private const int FixedLength = 10;

    /// <summary>The last offset that a pointer can lead to (RFC 1035 §4.1.4).</summary>
    private const int LastPointer = 0x3FFF;

    private readonly Span<byte> buffer;
    private readonly DnsQuery query;
    private readonly int limit;
    private int position;
    private ushort answers;
    private ushort authorities;
    private ushort additionals;

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

    /// <summary>A service's record (RFC 2782), of priority 0: backends differ in weight alone.</summary>
    /// <param name="target">Wire form with its root label; never compressed, as the RFC says.</param>
    /// <param name="targetAt">Where the target begins in the message; 0: it did not fit.</param>
    public bool AddService(ushort weight, ushort port, ReadOnlySpan<byte> target, uint ttl, out ushort targetAt)
    {
        targetAt = 0;
        if (!TryStart(WireName.HeaderLength, RecordType.Srv, ttl, 6 + target.Length))
        {
            return false;
        }

        WriteUInt16(0);
        WriteUInt16(weight);
        WriteUInt16(port);
        targetAt = (ushort)position;
        target.CopyTo(buffer[position..]);
        position += target.Length;
        answers++;
        return true;
    }

    /// <summary>The addresses of a target, for the additional section; false: not all fit.</summary>
    /// <param name="targetAt">Where its name begins in the message.</param>
    public bool AddTargetAddresses(ushort targetAt, ServiceTarget target, uint ttl)
    {
        if (target.Ipv4 is { } ipv4)
        {
            if (!TryStartAdditional(targetAt, target.Name, RecordType.A, ttl, 4))
            {
                return false;
            }

            WriteUInt32(ipv4);
        }

        if (target.Ipv6 is { } ipv6)
        {
            if (!TryStartAdditional(targetAt, target.Name, RecordType.Aaaa, ttl, 16))
            {
                return false;
            }

            BinaryPrimitives.WriteUInt128BigEndian(buffer[position..], ipv6);
            position += 16;
        }

        return true;
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
        BinaryPrimitives.WriteUInt16BigEndian(buffer[10..], (ushort)(additionals + (query.HasEdns ? 1 : 0)));
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
        if (IsTruncated || position + 2 + FixedLength + dataLength > limit)
        {
            IsTruncated = true;
            return false;
        }

        WriteUInt16((ushort)(0xC000 | owner));
        WriteFixed(type, ttl, dataLength);
        return true;
    }

    /// <summary>Where a pointer does not reach, in long answers over TCP, the owner is written out.</summary>
    private bool TryStartAdditional(int owner, ReadOnlySpan<byte> name, RecordType type, uint ttl, int dataLength)
    {
        bool isNear = owner <= LastPointer;
        if (position + (isNear ? 2 : name.Length) + FixedLength + dataLength > limit)
        {
            return false;
        }

        if (isNear)
        {
            WriteUInt16((ushort)(0xC000 | owner));
        }
        else
        {
            name.CopyTo(buffer[position..]);
            position += name.Length;
        }

        WriteFixed(type, ttl, dataLength);
        additionals++;
        return true;
    }

    private void WriteFixed(RecordType type, uint ttl, int dataLength)
    {
        WriteUInt16((ushort)type);
        WriteUInt16(ClassInternet);
        WriteUInt32(ttl);
        WriteUInt16((ushort)dataLength);
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

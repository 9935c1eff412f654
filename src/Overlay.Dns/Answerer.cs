using System.Collections.Immutable;
using Overlay.Primitives;

namespace Overlay.Dns;

/// <summary>
/// Decides what a name means in one sandbox and writes the answer; asks nobody and allocates nothing.
/// <para>A name is an endpoint's name or alias, alone or followed by its network's name; the sandbox's networks are
/// tried in the order of attachment, a qualified reading before a plain one, so that no alias can stand in for
/// another network's name. The first network that knows the name decides, also when it lacks the type. Below a
/// network's name, what is unknown does not exist (NXDOMAIN); any other unknown name is forwarded. A reverse name
/// belongs to us when an endpoint has the address or a subnet holds it. A service's names have SRV records, too, and so
/// has "_web._tcp", which is read like any other name.</para>
/// <para>It refuses to know sockets, servers, and who published the zones.</para>
/// </summary>
public sealed class Answerer(AnswerOptions options)
{
    private const ushort ClassInternet = 1;
    private const ushort ClassAny = 255;

    /// <param name="zones">The sandbox's networks in the order of attachment.</param>
    /// <param name="response">For UDP at least <see cref="AnswerOptions.MaxUdpPayload"/> bytes, for TCP 65535.</param>
    /// <param name="prng">Orders the records of a name; not shared between threads.</param>
    public Answer Answer(
        ReadOnlySpan<byte> query, ImmutableArray<ZoneIndex> zones, bool tcp, Span<byte> response, Prng prng)
    {
        Span<byte> names = stackalloc byte[2 * WireName.MaxLength];
        QueryVerdict verdict = DnsQuery.Read(query, names, out DnsQuery asked);
        int udpLimit = Math.Min(asked.UdpPayload, options.MaxUdpPayload);
        if (verdict is QueryVerdict.TooShort or QueryVerdict.IsResponse)
        {
            DropReason reason = verdict == QueryVerdict.TooShort ? DropReason.TooShort : DropReason.IsResponse;
            return new(AnswerOutcome.Drop, 0, default, default, reason, false, udpLimit);
        }

        ResponseWriter writer = new(in asked, response, tcp ? ushort.MaxValue : udpLimit);
        if (!writer.HasRoom)
        {
            return new(AnswerOutcome.Drop, 0, default, asked.Type, DropReason.NoRoom, false, udpLimit);
        }

        ResponseCode code;
        bool isOurs = false;
        if (verdict != QueryVerdict.Valid)
        {
            code = Complaint(verdict);
        }
        else if (asked.Class is not (ClassInternet or ClassAny)
            || asked.Type is RecordType.Opt or (>= RecordType.FirstMeta and < RecordType.Any))
        {
            code = ResponseCode.Refused;
        }
        else
        {
            isOurs = true;
            if (!TryAnswerReverse(in asked, zones, ref writer, out code)
                && !TryAnswerName(in asked, zones, ref writer, prng, out code))
            {
                return new(AnswerOutcome.Forward, 0, default, asked.Type, default, false, udpLimit);
            }
        }

        int length = writer.Finish(code, isOurs, options.MaxUdpPayload);
        return new(AnswerOutcome.Answered, length, code, asked.Type, default, writer.IsTruncated, udpLimit);
    }

    private static ResponseCode Complaint(QueryVerdict verdict) => verdict switch
    {
        QueryVerdict.UnknownOperation => ResponseCode.NotImplemented,
        QueryVerdict.UnknownEdnsVersion => ResponseCode.BadVersion,
        _ => ResponseCode.FormatError,
    };

    private bool TryAnswerReverse(
        in DnsQuery asked, ImmutableArray<ZoneIndex> zones, ref ResponseWriter writer, out ResponseCode code)
    {
        code = ResponseCode.NoError;
        if (!ReverseName.TryRead(asked.Name, out AddressNumber address))
        {
            return false;
        }

        bool isCovered = false;
        foreach (ZoneIndex zone in zones)
        {
            if (zone.TryFindPointer(address, out ReadOnlySpan<byte> name))
            {
                if (asked.Type is RecordType.DomainPointer or RecordType.Any)
                {
                    writer.AddPointer(name, options.TtlSeconds);
                }
                else
                {
                    writer.AddStartOfAuthority(0, options.NegativeTtlSeconds, asked.Type == RecordType.Soa);
                }

                return true;
            }

            isCovered |= zone.Covers(address);
        }

        if (isCovered)
        {
            code = ResponseCode.NameError;
            writer.AddStartOfAuthority(1 + asked.Name[0], options.NegativeTtlSeconds, false);
        }

        return isCovered;
    }

    private bool TryAnswerName(
        in DnsQuery asked, ImmutableArray<ZoneIndex> zones, ref ResponseWriter writer, Prng prng, out ResponseCode code)
    {
        code = ResponseCode.NoError;
        int deniedBy = -1;
        foreach (ZoneIndex zone in zones)
        {
            int offset = asked.Name.Length - zone.Apex.Length;
            if (zone.Apex.IsEmpty || !asked.Name.EndsWith(zone.Apex) || !WireName.IsLabelStart(asked.Name, offset))
            {
                continue;
            }

            if (offset > 0 && zone.Find(asked.Name[..offset]) is { } qualified)
            {
                AddRecords(in asked, qualified, offset, ref writer, prng);
                return true;
            }

            deniedBy = deniedBy < 0 ? offset : deniedBy;
        }

        foreach (ZoneIndex zone in zones)
        {
            if (zone.Find(asked.Name) is { IsName: true } plain)
            {
                AddRecords(in asked, plain, 0, ref writer, prng);
                return true;
            }
        }

        if (deniedBy < 0)
        {
            return false;
        }

        // The network's own name exists: it only has no addresses.
        code = deniedBy == 0 ? ResponseCode.NoError : ResponseCode.NameError;
        bool asAnswer = deniedBy == 0 && asked.Type is RecordType.Soa or RecordType.Any;
        writer.AddStartOfAuthority(deniedBy, options.NegativeTtlSeconds, asAnswer);
        return true;
    }

    private void AddRecords(
        in DnsQuery asked, NameRecords records, int ownerOffset, ref ResponseWriter writer, Prng prng)
    {
        bool any = asked.Type == RecordType.Any;
        if (!records.Ipv4.IsEmpty && (asked.Type == RecordType.A || any))
        {
            AddAddresses(records.Ipv4, [], ref writer, prng);
        }
        else if (!records.Ipv6.IsEmpty && (asked.Type == RecordType.Aaaa || any))
        {
            AddAddresses([], records.Ipv6, ref writer, prng);
        }
        else if (records.Services is { } services && (asked.Type == RecordType.Srv || any))
        {
            AddServices(services, ref writer, prng);
        }
        else
        {
            writer.AddStartOfAuthority(ownerOffset, options.NegativeTtlSeconds, false);
        }
    }

    /// <summary>Adds the addresses of one family, as many as fit.</summary>
    private void AddAddresses(
        ReadOnlySpan<uint> ipv4, ReadOnlySpan<UInt128> ipv6, ref ResponseWriter writer, Prng prng)
    {
        int total = ipv4.Length + ipv6.Length;
        Span<ushort> room = total <= RandomOrder.Few ? stackalloc ushort[RandomOrder.Few] : stackalloc ushort[RandomOrder.Most];
        RandomOrder order = new(room, total, prng);
        for (int i = 0; i < order.Count; i++)
        {
            int at = order.Draw(i, prng);
            bool added = ipv6.IsEmpty
                ? writer.AddIpv4(ipv4[at], options.TtlSeconds)
                : writer.AddIpv6(ipv6[at], options.TtlSeconds);
            if (!added)
            {
                return;
            }
        }
    }

    /// <summary>Adds SRV records, as many as fit; if all do, then the targets' addresses beside them, as many as fit.</summary>
    private void AddServices(ServiceRecords records, ref ResponseWriter writer, Prng prng)
    {
        bool isFew = records.Count <= RandomOrder.Few;
        Span<ushort> room = isFew ? stackalloc ushort[RandomOrder.Few] : stackalloc ushort[RandomOrder.Most];
        RandomOrder order = new(room, records.Count, prng);

        // Where each target is in the message; 0: its addresses are told. Of so many records that places coincide, not all fit.
        Span<ushort> places = isFew ? stackalloc ushort[RandomOrder.Few] : stackalloc ushort[RandomOrder.Most];
        for (int i = 0; i < order.Count; i++)
        {
            int record = order.Draw(i, prng);
            ServiceTarget target = records.Target(record);
            if (!writer.AddService(target.Weight, records.Port(record), target.Name, options.TtlSeconds, out ushort at))
            {
                return;
            }

            places[records.PlaceOf(record) % places.Length] = at;
        }

        for (int i = 0; i < order.Count; i++)
        {
            ServiceTarget target = records.Target(order[i]);
            ref ushort at = ref places[records.PlaceOf(order[i]) % places.Length];
            if (at != 0 && !writer.AddTargetAddresses(at, target, options.TtlSeconds))
            {
                return;
            }

            at = 0;
        }
    }
}

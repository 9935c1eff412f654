using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>Reads serf's messages, in any key order; every count and length is bounded before it is believed.</summary>
internal static class SerfReader
{
    /// <summary>False: it is none that travels alone, breaks the format, or a bound.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out SerfMessage? message)
    {
        message = TryReadFields(payload, out SerfFields fields) ? Message(fields) : null;
        return message is not null;
    }

    /// <summary>As above, without making an object of it; a relay's fields are its header's.</summary>
    public static bool TryReadFields(ReadOnlySpan<byte> payload, out SerfFields fields)
    {
        fields = default;
        if (payload.IsEmpty)
        {
            return false;
        }

        MsgPackReader reader = new(payload[1..]);
        SerfType type = (SerfType)payload[0];
        fields = type == SerfType.Relay ? ReadRelay(ref reader) : Read(ref reader);
        fields.Type = type;
        return !reader.Failed && IsWithinBounds(fields);
    }

    public static SerfMessage Message(in SerfFields f) => f.Type switch
    {
        SerfType.Join => new SerfMessage.Join(f.Time, Text(f.Node)),
        SerfType.Leave => new SerfMessage.Leave(f.Time, Text(f.Node), f.Prune),
        SerfType.UserEvent => new SerfMessage.Event(f.Time, Text(f.Name), f.Payload.ToArray(), f.Coalesce),
        SerfType.Query => new SerfMessage.Query(
            f.Time, f.Id, EndPointOf(f), Text(f.SourceNode), FiltersOf(f), (QueryFlags)f.Flags, (byte)f.RelayFactor,
            TimeSpan.FromTicks((long)Math.Min(f.Timeout / 100, long.MaxValue / 200)), Text(f.Name), f.Payload.ToArray()),
        SerfType.QueryResponse => new SerfMessage.Response(f.Time, f.Id, Text(f.From), (QueryFlags)f.Flags, f.Payload.ToArray()),
        SerfType.Relay => new SerfMessage.Relay(EndPointOf(f), Text(f.Name), f.Payload.ToArray()),
        _ => throw new Primitives.InvariantException("only what was read becomes a message"),
    };

    /// <summary>The state of a push/pull; what follows it is somebody else's.</summary>
    public static bool TryReadState(
        ReadOnlySpan<byte> payload, [NotNullWhen(true)] out SerfState? state, out ReadOnlySpan<byte> rest)
    {
        state = null;
        rest = payload;
        if (payload is not [(byte)SerfType.PushPull, .. var map])
        {
            return false;
        }

        MsgPackReader reader = new(map);
        SerfState read = StateReader.Read(ref reader);
        if (reader.Failed)
        {
            return false;
        }

        state = read;
        rest = map[(map.Length - reader.Remaining)..];
        return true;
    }

    /// <summary>The key of a key query's payload: type 7.</summary>
    public static bool TryReadKey(ReadOnlySpan<byte> payload, out byte[] key)
    {
        key = [];
        if (payload is not [(byte)SerfType.KeyRequest, .. var map])
        {
            return false;
        }

        MsgPackReader reader = new(map);
        key = Read(ref reader).Key.ToArray();
        return !reader.Failed;
    }

    private static bool IsWithinBounds(in SerfFields f) => f.Type switch
    {
        SerfType.Join or SerfType.Leave => !f.Node.IsEmpty && f.Time <= SerfLimits.MaxTime,
        // Of the name characters count.
        SerfType.UserEvent => f.Time <= SerfLimits.MaxTime
            && f.Payload.Length + Encoding.UTF8.GetCharCount(f.Name) <= SerfLimits.MaxEventBytes,
        SerfType.Query => f.Time <= SerfLimits.MaxTime && f.Payload.Length <= SerfLimits.MaxQueryBytes
            && f.RelayFactor <= byte.MaxValue && HasEndPoint(f),
        SerfType.QueryResponse => true,
        // Only answers are relayed; anything else would let one packet become others'.
        SerfType.Relay => HasEndPoint(f) && f.Payload is [(byte)SerfType.QueryResponse, ..],
        _ => false,
    };

    private static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);

    private static SerfFields ReadRelay(scoped ref MsgPackReader reader)
    {
        SerfFields relay = default;
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("DestAddr"u8))
            {
                SerfFields fields = Read(ref reader);
                relay.Address = fields.Address;
                relay.Port = fields.Port;
            }
            else if (key.SequenceEqual("DestName"u8))
            {
                relay.Name = reader.ReadRaw(WireLimits.MaxName);
            }
            else
            {
                reader.Skip();
            }
        }

        relay.Payload = reader.Take(reader.Remaining);
        return relay;
    }

    private static SerfFields Read(scoped ref MsgPackReader reader)
    {
        SerfFields fields = default;
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (!reader.Failed && !TryReadNumber(ref reader, key, ref fields) && !TryReadBytes(ref reader, key, ref fields))
            {
                reader.Skip();
            }
        }

        return fields;
    }

    private static bool TryReadNumber(scoped ref MsgPackReader reader, ReadOnlySpan<byte> key, ref SerfFields fields)
    {
        if (key.SequenceEqual("LTime"u8))
        {
            fields.Time = reader.ReadUnsigned();
        }
        else if (key.SequenceEqual("CC"u8))
        {
            fields.Coalesce = reader.ReadBool();
        }
        else if (key.SequenceEqual("Prune"u8))
        {
            fields.Prune = reader.ReadBool();
        }
        else if (key.SequenceEqual("ID"u8))
        {
            fields.Id = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("Port"u8))
        {
            fields.Port = reader.ReadUInt16Value();
        }
        else if (key.SequenceEqual("Flags"u8))
        {
            fields.Flags = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("RelayFactor"u8))
        {
            fields.RelayFactor = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("Timeout"u8))
        {
            fields.Timeout = reader.ReadUnsigned();
        }
        else
        {
            return false;
        }

        return true;
    }

    private static bool TryReadBytes(scoped ref MsgPackReader reader, ReadOnlySpan<byte> key, ref SerfFields fields)
    {
        if (key.SequenceEqual("Node"u8))
        {
            fields.Node = reader.ReadRaw(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("Name"u8))
        {
            fields.Name = reader.ReadRaw(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("From"u8))
        {
            fields.From = reader.ReadRaw(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("SourceNode"u8))
        {
            fields.SourceNode = reader.ReadRaw(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("Payload"u8))
        {
            fields.Payload = reader.ReadRaw(SerfLimits.MaxEventBytes);
        }
        else if (key.SequenceEqual("Addr"u8) || key.SequenceEqual("IP"u8))
        {
            fields.Address = reader.ReadRaw();
        }
        else if (key.SequenceEqual("Filters"u8))
        {
            fields.Filters = ReadFilters(ref reader);
        }
        else if (key.SequenceEqual("Key"u8))
        {
            fields.Key = reader.ReadRaw(64);
        }
        else
        {
            return false;
        }

        return true;
    }

    /// <summary>The array as it lies there, once each of it is within its bounds.</summary>
    private static ReadOnlySpan<byte> ReadFilters(scoped ref MsgPackReader reader)
    {
        MsgPackReader ahead = reader;
        int before = ahead.Remaining;
        int count = ahead.ReadArrayHeader();
        // A filter that is not looked at would let the query pass where it must not.
        for (int i = 0; i < count && !ahead.Failed; i++)
        {
            ahead.ReadRaw(i < SerfLimits.MaxFilters ? SerfLimits.MaxFilterBytes : -1);
        }

        if (ahead.Failed)
        {
            reader.Fail();
            return [];
        }

        return reader.Take(before - ahead.Remaining);
    }

    private static List<byte[]> FiltersOf(in SerfFields fields)
    {
        List<byte[]> filters = [];
        MsgPackReader reader = new(fields.Filters);
        int count = fields.Filters.IsEmpty ? 0 : reader.ReadArrayHeader();
        for (int i = 0; i < count; i++)
        {
            filters.Add(reader.ReadBytes(SerfLimits.MaxFilterBytes));
        }

        return filters;
    }

    private static bool HasEndPoint(in SerfFields fields) => fields.Address.Length is 4 or 16 && fields.Port != 0;

    private static IPEndPoint EndPointOf(in SerfFields fields)
    {
        IPAddress ip = new(fields.Address);
        return new(ip.IsIPv4MappedToIPv6 ? ip.MapToIPv4() : ip, fields.Port);
    }
}

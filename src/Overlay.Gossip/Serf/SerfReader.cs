using System.Diagnostics.CodeAnalysis;
using System.Net;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>Reads serf's messages, in any key order; every count and length is bounded before it is believed.</summary>
internal static class SerfReader
{
    private ref struct Fields
    {
        public ulong Time;
        public string Node;
        public string Name;
        public string From;
        public string SourceNode;
        public byte[] Payload;
        public bool Coalesce;
        public bool Prune;
        public uint Id;
        public ReadOnlySpan<byte> Address;
        public ushort Port;
        public List<byte[]> Filters;
        public uint Flags;
        public uint RelayFactor;
        public ulong Timeout;
        public byte[] Key;
    }

    /// <summary>False: it is none that travels alone, breaks the format, or a bound.</summary>
    public static bool TryRead(ReadOnlySpan<byte> payload, [NotNullWhen(true)] out SerfMessage? message)
    {
        message = null;
        if (payload.IsEmpty)
        {
            return false;
        }

        MsgPackReader reader = new(payload[1..]);
        message = (SerfType)payload[0] switch
        {
            SerfType.Join or SerfType.Leave => Intent(ref reader, (SerfType)payload[0]),
            SerfType.UserEvent => Event(ref reader),
            SerfType.Query => Query(ref reader),
            SerfType.QueryResponse => Response(ref reader),
            SerfType.Relay => Relay(ref reader),
            _ => null,
        };
        message = reader.Failed ? null : message;
        return message is not null;
    }

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
        key = Read(ref reader).Key;
        return !reader.Failed;
    }

    private static SerfMessage? Intent(ref MsgPackReader reader, SerfType type)
    {
        Fields fields = Read(ref reader);
        return fields.Node.Length == 0 || fields.Time > SerfLimits.MaxTime ? null
            : type == SerfType.Join ? new SerfMessage.Join(fields.Time, fields.Node)
            : new SerfMessage.Leave(fields.Time, fields.Node, fields.Prune);
    }

    private static SerfMessage.Event? Event(ref MsgPackReader reader)
    {
        Fields fields = Read(ref reader);
        return fields.Time > SerfLimits.MaxTime || fields.Payload.Length + fields.Name.Length > SerfLimits.MaxEventBytes
            ? null
            : new(fields.Time, fields.Name, fields.Payload, fields.Coalesce);
    }

    private static SerfMessage.Query? Query(ref MsgPackReader reader)
    {
        Fields fields = Read(ref reader);
        return fields.Time <= SerfLimits.MaxTime && fields.Payload.Length <= SerfLimits.MaxQueryBytes
            && fields.RelayFactor <= byte.MaxValue && TryEndPoint(fields.Address, fields.Port, out IPEndPoint? source)
            ? new(
                fields.Time, fields.Id, source, fields.SourceNode, fields.Filters, (QueryFlags)fields.Flags,
                (byte)fields.RelayFactor, TimeSpan.FromTicks((long)Math.Min(fields.Timeout / 100, long.MaxValue / 200)),
                fields.Name, fields.Payload)
            : null;
    }

    private static SerfMessage.Response Response(ref MsgPackReader reader)
    {
        Fields fields = Read(ref reader);
        return new(fields.Time, fields.Id, fields.From, (QueryFlags)fields.Flags, fields.Payload);
    }

    private static SerfMessage.Relay? Relay(ref MsgPackReader reader)
    {
        IPEndPoint? to = null;
        string name = "";
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("DestAddr"u8))
            {
                Fields fields = Read(ref reader);
                to = TryEndPoint(fields.Address, fields.Port, out IPEndPoint? address) ? address : null;
            }
            else if (key.SequenceEqual("DestName"u8))
            {
                name = reader.ReadString(WireLimits.MaxName);
            }
            else
            {
                reader.Skip();
            }
        }

        // Only answers are relayed; anything else would let one packet become others'.
        ReadOnlySpan<byte> inner = reader.Take(reader.Remaining);
        return to is not null && inner is [(byte)SerfType.QueryResponse, ..] ? new(to, name, inner.ToArray()) : null;
    }

    private static Fields Read(ref MsgPackReader reader)
    {
        Fields fields = new()
        {
            Node = "",
            Name = "",
            From = "",
            SourceNode = "",
            Payload = [],
            Filters = [],
            Key = [],
        };
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (!reader.Failed)
            {
                ReadField(ref reader, System.Text.Encoding.ASCII.GetString(key), ref fields);
            }
        }

        return fields;
    }

    private static void ReadField(ref MsgPackReader reader, string key, ref Fields fields)
    {
        switch (key)
        {
            case "LTime":
                fields.Time = reader.ReadUnsigned();
                break;
            case "Node":
                fields.Node = reader.ReadString(WireLimits.MaxName);
                break;
            case "Name":
                fields.Name = reader.ReadString(WireLimits.MaxName);
                break;
            case "From":
                fields.From = reader.ReadString(WireLimits.MaxName);
                break;
            case "SourceNode":
                fields.SourceNode = reader.ReadString(WireLimits.MaxName);
                break;
            case "Payload":
                fields.Payload = reader.ReadBytes(SerfLimits.MaxEventBytes);
                break;
            case "CC":
                fields.Coalesce = reader.ReadBool();
                break;
            case "Prune":
                fields.Prune = reader.ReadBool();
                break;
            case "ID":
                fields.Id = reader.ReadUInt32Value();
                break;
            case "Addr" or "IP":
                fields.Address = reader.ReadRaw();
                break;
            case "Port":
                fields.Port = reader.ReadUInt16Value();
                break;
            case "Filters":
                ReadFilters(ref reader, fields.Filters);
                break;
            case "Flags":
                fields.Flags = reader.ReadUInt32Value();
                break;
            case "RelayFactor":
                fields.RelayFactor = reader.ReadUInt32Value();
                break;
            case "Timeout":
                fields.Timeout = reader.ReadUnsigned();
                break;
            case "Key":
                fields.Key = reader.ReadBytes(64);
                break;
            default:
                reader.Skip();
                break;
        }
    }

    private static void ReadFilters(ref MsgPackReader reader, List<byte[]> filters)
    {
        int count = reader.ReadArrayHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            if (filters.Count == SerfLimits.MaxFilters)
            {
                // A filter that is not looked at would let the query pass where it must not.
                reader.Fail();
                return;
            }

            filters.Add(reader.ReadBytes(SerfLimits.MaxFilterBytes));
        }
    }

    private static bool TryEndPoint(ReadOnlySpan<byte> address, ushort port, [NotNullWhen(true)] out IPEndPoint? endPoint)
    {
        endPoint = null;
        if (address.Length is 4 or 16 && port != 0)
        {
            IPAddress ip = new(address);
            endPoint = new(ip.IsIPv4MappedToIPv6 ? ip.MapToIPv4() : ip, port);
        }

        return endPoint is not null;
    }
}

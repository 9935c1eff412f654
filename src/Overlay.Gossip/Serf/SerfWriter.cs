using System.Buffers;
using System.Diagnostics;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>serf's messages as bytes: a type byte and a MessagePack map with its keys sorted.</summary>
internal static class SerfWriter
{
    public static byte[] Encode(SerfMessage message)
    {
        ArrayBufferWriter<byte> output = new(128);
        MsgPackWriter writer = new(output);
        switch (message)
        {
            case SerfMessage.Join join:
                Begin(output, SerfType.Join, 2);
                Time(writer, join.Time);
                Text(writer, "Node"u8, join.Node);
                break;
            case SerfMessage.Leave leave:
                Begin(output, SerfType.Leave, 3);
                Time(writer, leave.Time);
                Text(writer, "Node"u8, leave.Node);
                writer.Key("Prune"u8);
                writer.Bool(leave.Prune);
                break;
            case SerfMessage.Event happened:
                Begin(output, SerfType.UserEvent, 4);
                writer.Key("CC"u8);
                writer.Bool(happened.Coalesce);
                Time(writer, happened.Time);
                Text(writer, "Name"u8, happened.Name);
                Bytes(writer, "Payload"u8, happened.Payload);
                break;
            case SerfMessage.Query query:
                Begin(output, SerfType.Query, 11);
                Write(writer, query);
                break;
            case SerfMessage.Response response:
                Begin(output, SerfType.QueryResponse, 5);
                Number(writer, "Flags"u8, (uint)response.Flags);
                Text(writer, "From"u8, response.From);
                Number(writer, "ID"u8, response.Id);
                Time(writer, response.Time);
                Bytes(writer, "Payload"u8, response.Payload);
                break;
            case SerfMessage.Relay relay:
                Begin(output, SerfType.Relay, 2);
                writer.Key("DestAddr"u8);
                writer.MapHeader(3);
                writer.Key("IP"u8);
                writer.Raw(relay.To.Address.GetAddressBytes());
                Number(writer, "Port"u8, (ulong)relay.To.Port);
                Text(writer, "Zone"u8, "");
                Text(writer, "DestName"u8, relay.Name);
                output.Write(relay.Inner);
                break;
            default:
                throw new UnreachableException();
        }

        return output.WrittenSpan.ToArray();
    }

    public static byte[] Encode(SerfState state)
    {
        ArrayBufferWriter<byte> output = new(512);
        MsgPackWriter writer = new(output);
        Begin(output, SerfType.PushPull, 6);
        Number(writer, "EventLTime"u8, state.EventTime);
        writer.Key("Events"u8);
        IGrouping<ulong, SerfMessage.Event>[] ticks = [.. state.Events.GroupBy(e => e.Time)];
        writer.ArrayHeader(ticks.Length);
        foreach (IGrouping<ulong, SerfMessage.Event> tick in ticks)
        {
            writer.MapHeader(2);
            writer.Key("Events"u8);
            writer.ArrayHeader(tick.Count());
            foreach (SerfMessage.Event happened in tick)
            {
                writer.MapHeader(2);
                Text(writer, "Name"u8, happened.Name);
                Bytes(writer, "Payload"u8, happened.Payload);
            }

            Time(writer, tick.Key);
        }

        Time(writer, state.Time);
        writer.Key("LeftMembers"u8);
        writer.ArrayHeader(state.Left.Count);
        foreach (string name in state.Left)
        {
            writer.String(name);
        }

        Number(writer, "QueryLTime"u8, state.QueryTime);
        writer.Key("StatusLTimes"u8);
        writer.MapHeader(state.StatusTimes.Count);
        foreach ((string name, ulong time) in state.StatusTimes)
        {
            writer.String(name);
            writer.Unsigned(time);
        }

        return output.WrittenSpan.ToArray();
    }

    /// <summary>The answer to a key query: type 8.</summary>
    public static byte[] KeyRequest(ReadOnlySpan<byte> key)
    {
        ArrayBufferWriter<byte> output = new(64);
        MsgPackWriter writer = new(output);
        Begin(output, SerfType.KeyRequest, 1);
        writer.Key("Key"u8);
        writer.Bytes(key);
        return output.WrittenSpan.ToArray();
    }

    public static byte[] KeyResponse(bool done, string text, IReadOnlyList<string> keys, string primary)
    {
        ArrayBufferWriter<byte> output = new(256);
        MsgPackWriter writer = new(output);
        Begin(output, SerfType.KeyResponse, 4);
        writer.Key("Keys"u8);
        writer.ArrayHeader(keys.Count);
        foreach (string key in keys)
        {
            writer.String(key);
        }

        Text(writer, "Message"u8, text);
        Text(writer, "PrimaryKey"u8, primary);
        writer.Key("Result"u8);
        writer.Bool(done);
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The answer to a question who has a name: type 6; null is nobody.</summary>
    public static byte[] ConflictResponse(MemberEntry? member, SerfStatus status)
    {
        ArrayBufferWriter<byte> output = new(256);
        MsgPackWriter writer = new(output);
        if (member is null)
        {
            output.Write([(byte)SerfType.ConflictResponse]);
            writer.Nil();
            return output.WrittenSpan.ToArray();
        }

        Begin(output, SerfType.ConflictResponse, 11);
        writer.Key("Addr"u8);
        writer.Raw(member.Address.Address.GetAddressBytes());
        ReadOnlySpan<byte> versions = member.Versions;
        Number(writer, "DelegateCur"u8, versions[5]);
        Number(writer, "DelegateMax"u8, versions[4]);
        Number(writer, "DelegateMin"u8, versions[3]);
        Text(writer, "Name"u8, member.Name);
        Number(writer, "Port"u8, (ulong)member.Address.Port);
        Number(writer, "ProtocolCur"u8, versions[2]);
        Number(writer, "ProtocolMax"u8, versions[1]);
        Number(writer, "ProtocolMin"u8, versions[0]);
        Number(writer, "Status"u8, (ulong)status);
        writer.Key("Tags"u8);
        var tags = Tags.Decode(member.Meta);
        writer.MapHeader(tags.Count);
        foreach ((string key, string value) in tags)
        {
            writer.String(key);
            writer.String(value);
        }

        return output.WrittenSpan.ToArray();
    }

    private static void Write(MsgPackWriter writer, SerfMessage.Query query)
    {
        writer.Key("Addr"u8);
        writer.Raw(query.Source.Address.GetAddressBytes());
        writer.Key("Filters"u8);
        if (query.Filters.Count == 0)
        {
            writer.Nil();
        }
        else
        {
            writer.ArrayHeader(query.Filters.Count);
            foreach (byte[] filter in query.Filters)
            {
                writer.Raw(filter);
            }
        }

        Number(writer, "Flags"u8, (uint)query.Flags);
        Number(writer, "ID"u8, query.Id);
        Time(writer, query.Time);
        Text(writer, "Name"u8, query.Name);
        Bytes(writer, "Payload"u8, query.Payload);
        Number(writer, "Port"u8, (ulong)query.Source.Port);
        Number(writer, "RelayFactor"u8, query.RelayFactor);
        Text(writer, "SourceNode"u8, query.SourceNode);
        Number(writer, "Timeout"u8, (ulong)(query.Timeout.Ticks * 100));
    }

    private static void Begin(ArrayBufferWriter<byte> output, SerfType type, int fields)
    {
        output.Write([(byte)type]);
        new MsgPackWriter(output).MapHeader(fields);
    }

    private static void Time(MsgPackWriter writer, ulong time) => Number(writer, "LTime"u8, time);

    private static void Number(MsgPackWriter writer, ReadOnlySpan<byte> key, ulong value)
    {
        writer.Key(key);
        writer.Unsigned(value);
    }

    private static void Text(MsgPackWriter writer, ReadOnlySpan<byte> key, string value)
    {
        writer.Key(key);
        writer.String(value);
    }

    private static void Bytes(MsgPackWriter writer, ReadOnlySpan<byte> key, byte[] value)
    {
        writer.Key(key);
        writer.Bytes(value);
    }
}

using System.Buffers;
using System.Net;

namespace Overlay.Gossip.Wire;

/// <summary>
/// One message: its type byte and its MessagePack map (memberlist net.go; keys sorted as its encoder does).
/// </summary>
internal static class MessageCodec
{
    public static void Encode(GossipMessage message, IBufferWriter<byte> output)
    {
        MsgPackWriter writer = new(output);
        switch (message)
        {
            case GossipMessage.Ping ping:
                Ping(output, ping.SequenceNumber, ping.Node, ping.Source, ping.SourceNode);
                break;
            case GossipMessage.IndirectPing ping:
                Type(output, MessageType.IndirectPing);
                writer.MapHeader(5 + (ping.Source is null ? 0 : 2) + (ping.SourceNode.Length == 0 ? 0 : 1));
                writer.Key("Nack"u8);
                writer.Bool(ping.WantsNack);
                writer.Key("Node"u8);
                writer.String(ping.Node);
                writer.Key("Port"u8);
                writer.Unsigned((ulong)ping.Target.Port);
                writer.Key("SeqNo"u8);
                writer.Unsigned(ping.SequenceNumber);
                Source(writer, ping.Source, ping.SourceNode);
                writer.Key("Target"u8);
                Address(writer, ping.Target.Address);
                break;
            case GossipMessage.Ack ack:
                Ack(output, ack.SequenceNumber, ack.Payload, ack.Digest);
                break;
            case GossipMessage.Nack nack:
                Type(output, MessageType.Nack);
                writer.MapHeader(1);
                writer.Key("SeqNo"u8);
                writer.Unsigned(nack.SequenceNumber);
                break;
            case GossipMessage.Suspect suspect:
                Type(output, MessageType.Suspect);
                Accusation(writer, suspect.Incarnation, suspect.Node, suspect.From, suspect.Life, 0);
                break;
            case GossipMessage.Dead dead:
                Type(output, MessageType.Dead);
                Accusation(writer, dead.Incarnation, dead.Node, dead.From, dead.Life, dead.Witnesses);
                break;
            case GossipMessage.Alive alive:
                Type(output, MessageType.Alive);
                Alive(writer, alive);
                break;
            case GossipMessage.User user:
                User(output, user.Payload);
                break;
            case GossipMessage.PushPull exchange:
                Type(output, MessageType.PushPull);
                PushPull(writer, exchange);
                output.Write(exchange.UserState);
                break;
            case GossipMessage.Error error:
                Type(output, MessageType.Error);
                writer.MapHeader(1);
                writer.Key("Error"u8);
                writer.String(error.Text);
                break;
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    public static void Ping(
        IBufferWriter<byte> output, uint sequenceNumber, string node, IPEndPoint? source, string sourceNode)
    {
        Type(output, MessageType.Ping);
        MsgPackWriter writer = new(output);
        writer.MapHeader(2 + (source is null ? 0 : 2) + (sourceNode.Length == 0 ? 0 : 1));
        writer.Key("Node"u8);
        writer.String(node);
        writer.Key("SeqNo"u8);
        writer.Unsigned(sequenceNumber);
        Source(writer, source, sourceNode);
    }

    public static void Ack(IBufferWriter<byte> output, uint sequenceNumber, ReadOnlySpan<byte> payload, ulong digest)
    {
        Type(output, MessageType.Ack);
        MsgPackWriter writer = new(output);
        writer.MapHeader(digest == 0 ? 2 : 3);
        writer.Key("Payload"u8);
        writer.Bytes(payload);
        writer.Key("SeqNo"u8);
        writer.Unsigned(sequenceNumber);
        if (digest != 0)
        {
            writer.Key("Sum"u8);
            writer.Unsigned(digest);
        }
    }

    public static void User(IBufferWriter<byte> output, ReadOnlySpan<byte> payload)
    {
        Type(output, MessageType.User);
        output.Write(payload);
    }

    /// <summary>The body of a message whose type byte was read. Null: it breaks the format.</summary>
    public static GossipMessage? Decode(MessageType type, ReadOnlySpan<byte> body) =>
        type == MessageType.PushPull ? FieldsReader.PushPull(body)
        : FieldsReader.TryRead(type, body, out MessageFields fields) ? fields.ToMessage(type)
        : null;

    public static bool IsKnown(MessageType type) => type is <= MessageType.PushPull or MessageType.User
        or MessageType.Nack or MessageType.Error;

    private static void Type(IBufferWriter<byte> output, MessageType type)
    {
        output.GetSpan(1)[0] = (byte)type;
        output.Advance(1);
    }

    private static void Source(MsgPackWriter writer, IPEndPoint? source, string node)
    {
        if (source is not null)
        {
            writer.Key("SourceAddr"u8);
            Address(writer, source.Address);
        }

        if (node.Length > 0)
        {
            writer.Key("SourceNode"u8);
            writer.String(node);
        }

        if (source is not null)
        {
            writer.Key("SourcePort"u8);
            writer.Unsigned((ulong)source.Port);
        }
    }

    private static void Accusation(
        MsgPackWriter writer, uint incarnation, string node, string from, ushort life, uint witnesses)
    {
        writer.MapHeader(3 + (life == 0 ? 0 : 1) + (witnesses == 0 ? 0 : 1));
        writer.Key("From"u8);
        writer.String(from);
        writer.Key("Incarnation"u8);
        writer.Unsigned(incarnation);
        if (life != 0)
        {
            writer.Key("L"u8);
            writer.Unsigned(life);
        }

        writer.Key("Node"u8);
        writer.String(node);
        if (witnesses != 0)
        {
            writer.Key("Witnesses"u8);
            writer.Unsigned(witnesses);
        }
    }

    private static void Alive(MsgPackWriter writer, GossipMessage.Alive alive)
    {
        writer.MapHeader(alive.BootId == 0 ? 6 : 7);
        writer.Key("Addr"u8);
        Address(writer, alive.Address.Address);
        BootId(writer, alive.BootId);
        writer.Key("Incarnation"u8);
        writer.Unsigned(alive.Incarnation);
        writer.Key("Meta"u8);
        writer.Bytes(alive.Meta);
        writer.Key("Node"u8);
        writer.String(alive.Node);
        writer.Key("Port"u8);
        writer.Unsigned((ulong)alive.Address.Port);
        writer.Key("Vsn"u8);
        writer.Bytes(alive.Versions);
    }

    private static void PushPull(MsgPackWriter writer, GossipMessage.PushPull exchange)
    {
        writer.MapHeader(exchange.Known is null ? 3 : 4);
        writer.Key("Join"u8);
        writer.Bool(exchange.Join);
        if (exchange.Known is { } known)
        {
            writer.Key("Known"u8);
            writer.Raw(known);
        }

        writer.Key("Nodes"u8);
        writer.Unsigned((ulong)exchange.Nodes.Count);
        writer.Key("UserStateLen"u8);
        writer.Unsigned((ulong)exchange.UserState.Length);
        foreach (PushPullNode node in exchange.Nodes)
        {
            writer.MapHeader(node.BootId == 0 ? 7 : 8);
            writer.Key("Addr"u8);
            Address(writer, node.Address.Address);
            BootId(writer, node.BootId);
            writer.Key("Incarnation"u8);
            writer.Unsigned(node.Incarnation);
            writer.Key("Meta"u8);
            writer.Bytes(node.Meta);
            writer.Key("Name"u8);
            writer.String(node.Name);
            writer.Key("Port"u8);
            writer.Unsigned((ulong)node.Address.Port);
            writer.Key("State"u8);
            writer.Unsigned((ulong)node.State);
            writer.Key("Vsn"u8);
            writer.Bytes(node.Versions);
        }
    }

    private static void BootId(MsgPackWriter writer, ulong bootId)
    {
        if (bootId != 0)
        {
            writer.Key("BootId"u8);
            writer.Unsigned(bootId);
        }
    }

    private static void Address(MsgPackWriter writer, IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        writer.Raw(bytes[..length]);
    }
}

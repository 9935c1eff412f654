using System.Net;

namespace Overlay.Gossip.Wire;

/// <summary>
/// The maps of memberlist's messages, in any key order; unknown keys are passed over, missing ones are zero.
/// </summary>
internal static class FieldsReader
{
    /// <summary>All fields that any message has; each message takes its own.</summary>
    private ref struct Fields
    {
        public uint SequenceNumber;
        public string Node;
        public string From;
        public string SourceNode;
        public ReadOnlySpan<byte> SourceAddress;
        public ushort SourcePort;
        public ReadOnlySpan<byte> Target;
        public ushort Port;
        public bool Nack;
        public byte[] Payload;
        public uint Incarnation;
        public ReadOnlySpan<byte> Address;
        public byte[] Meta;
        public byte[] Versions;
        public ulong BootId;
        public int State;
        public bool Join;
        public uint Nodes;
        public uint UserStateLength;
        public uint Witnesses;
        public ushort Life;
        public string Text;
        public ulong Digest;
        public byte[]? Known;
    }

    public static GossipMessage? Ping(ref MsgPackReader reader)
    {
        Fields fields = Read(ref reader);
        return TrySource(fields, out IPEndPoint? source)
            ? new GossipMessage.Ping(fields.SequenceNumber, fields.Node, source, fields.SourceNode)
            : null;
    }

    public static GossipMessage? IndirectPing(ref MsgPackReader reader)
    {
        Fields fields = Read(ref reader);
        return TrySource(fields, out IPEndPoint? source)
            && TryEndPoint(fields.Target, fields.Port, out IPEndPoint? target)
            ? new GossipMessage.IndirectPing(
                fields.SequenceNumber, target!, fields.Node, fields.Nack, source, fields.SourceNode)
            : null;
    }

    public static GossipMessage Ack(ref MsgPackReader reader)
    {
        Fields fields = Read(ref reader);
        return new GossipMessage.Ack(fields.SequenceNumber, fields.Payload, fields.Digest);
    }

    public static GossipMessage Nack(ref MsgPackReader reader) =>
        new GossipMessage.Nack(Read(ref reader).SequenceNumber);

    public static GossipMessage? Accusation(ref MsgPackReader reader, MessageType type)
    {
        Fields fields = Read(ref reader);
        return fields.Node.Length == 0
            ? null
            : type == MessageType.Suspect
                ? new GossipMessage.Suspect(fields.Incarnation, fields.Node, fields.From) { Life = fields.Life }
                : new GossipMessage.Dead(fields.Incarnation, fields.Node, fields.From)
                {
                    Life = fields.Life,
                    Witnesses = fields.Witnesses,
                };
    }

    public static GossipMessage? Alive(ref MsgPackReader reader)
    {
        Fields fields = Read(ref reader);
        return fields.Node.Length > 0 && TryEndPoint(fields.Address, fields.Port, out IPEndPoint? address)
            && fields.Versions.Length is 0 or WireLimits.VersionBytes
            ? new GossipMessage.Alive(
                fields.Incarnation, fields.Node, address!, fields.Meta, fields.Versions, fields.BootId)
            : null;
    }

    public static GossipMessage Error(ref MsgPackReader reader) => new GossipMessage.Error(Read(ref reader).Text);

    public static GossipMessage? PushPull(ref MsgPackReader reader)
    {
        Fields header = Read(ref reader);
        // Each node takes well over one byte, so a false count fails here before anything is set aside for it.
        if (reader.Failed || header.Nodes > Math.Min(reader.Remaining, WireLimits.MaxPushPullNodes))
        {
            return null;
        }

        List<PushPullNode> nodes = [];
        for (uint i = 0; i < header.Nodes; i++)
        {
            Fields fields = Read(ref reader);
            if (reader.Failed || fields.Node.Length == 0
                || !TryEndPoint(fields.Address, fields.Port, out IPEndPoint? address)
                || fields.State is < 0 or > (int)MemberState.Left
                || fields.Versions.Length is not (0 or WireLimits.VersionBytes))
            {
                return null;
            }

            nodes.Add(new(
                fields.Node, address!, fields.Meta, fields.Incarnation, (MemberState)fields.State, fields.Versions,
                fields.BootId));
        }

        if (header.UserStateLength > reader.Remaining)
        {
            return null;
        }

        return new GossipMessage.PushPull(
            header.Join, nodes, reader.Take((int)header.UserStateLength).ToArray(), header.Known);
    }

    private static Fields Read(ref MsgPackReader reader)
    {
        Fields fields = new()
        {
            Node = "",
            From = "",
            SourceNode = "",
            Text = "",
            Payload = [],
            Meta = [],
            Versions = [],
        };
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (!reader.Failed)
            {
                ReadField(ref reader, key, ref fields);
            }
        }

        return fields;
    }

    private static void ReadField(ref MsgPackReader reader, ReadOnlySpan<byte> key, ref Fields fields)
    {
        if (key.SequenceEqual("SeqNo"u8))
        {
            fields.SequenceNumber = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("Node"u8) || key.SequenceEqual("Name"u8))
        {
            fields.Node = reader.ReadString(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("From"u8))
        {
            fields.From = reader.ReadString(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("Incarnation"u8))
        {
            fields.Incarnation = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("Addr"u8))
        {
            fields.Address = reader.ReadRaw();
        }
        else if (key.SequenceEqual("Port"u8))
        {
            fields.Port = reader.ReadUInt16Value();
        }
        else if (key.SequenceEqual("Meta"u8))
        {
            fields.Meta = reader.ReadBytes(WireLimits.MaxMeta);
        }
        else if (key.SequenceEqual("Vsn"u8))
        {
            fields.Versions = reader.ReadBytes(WireLimits.VersionBytes);
        }
        else if (key.SequenceEqual("Sum"u8))
        {
            fields.Digest = reader.ReadUnsigned();
        }
        else if (key.SequenceEqual("Known"u8))
        {
            fields.Known = reader.ReadBytes(WireLimits.MaxKnown);
        }
        else if (key.SequenceEqual("BootId"u8))
        {
            fields.BootId = reader.ReadUnsigned();
        }
        else
        {
            ReadRareField(ref reader, key, ref fields);
        }
    }

    private static void ReadRareField(ref MsgPackReader reader, ReadOnlySpan<byte> key, ref Fields fields)
    {
        if (key.SequenceEqual("Payload"u8))
        {
            fields.Payload = reader.ReadBytes(WireLimits.MaxPayload);
        }
        else if (key.SequenceEqual("SourceAddr"u8))
        {
            fields.SourceAddress = reader.ReadRaw();
        }
        else if (key.SequenceEqual("SourcePort"u8))
        {
            fields.SourcePort = reader.ReadUInt16Value();
        }
        else if (key.SequenceEqual("SourceNode"u8))
        {
            fields.SourceNode = reader.ReadString(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("Target"u8))
        {
            fields.Target = reader.ReadRaw();
        }
        else if (key.SequenceEqual("Nack"u8))
        {
            fields.Nack = reader.ReadBool();
        }
        else if (key.SequenceEqual("State"u8))
        {
            fields.State = (int)Math.Min(reader.ReadUnsigned(), int.MaxValue);
        }
        else if (key.SequenceEqual("Join"u8))
        {
            fields.Join = reader.ReadBool();
        }
        else if (key.SequenceEqual("Nodes"u8))
        {
            fields.Nodes = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("UserStateLen"u8))
        {
            fields.UserStateLength = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("Witnesses"u8))
        {
            fields.Witnesses = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("L"u8))
        {
            fields.Life = reader.ReadUInt16Value();
        }
        else if (key.SequenceEqual("Error"u8))
        {
            fields.Text = reader.ReadString(WireLimits.MaxError);
        }
        else
        {
            reader.Skip();
        }
    }

    private static bool TrySource(in Fields fields, out IPEndPoint? source)
    {
        source = null;
        return fields.SourceAddress.IsEmpty || TryEndPoint(fields.SourceAddress, fields.SourcePort, out source);
    }

    private static bool TryEndPoint(ReadOnlySpan<byte> address, ushort port, out IPEndPoint? endPoint)
    {
        endPoint = address.Length is 4 or 16 ? new(new IPAddress(address), port) : null;
        return endPoint is not null;
    }
}

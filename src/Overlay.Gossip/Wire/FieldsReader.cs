namespace Overlay.Gossip.Wire;

/// <summary>
/// The maps of memberlist's messages, in any key order; unknown keys are passed over, missing ones are zero.
/// </summary>
internal static class FieldsReader
{
    /// <summary>The body of a message whose type byte was read. False: it breaks the format.</summary>
    public static bool TryRead(MessageType type, ReadOnlySpan<byte> body, out MessageFields fields)
    {
        if (type == MessageType.User)
        {
            fields = new() { Payload = body };
            return true;
        }

        MsgPackReader reader = new(body);
        fields = Read(ref reader);
        return !reader.Failed && IsComplete(type, fields);
    }

    public static GossipMessage.PushPull? PushPull(ReadOnlySpan<byte> body)
    {
        MsgPackReader reader = new(body);
        MessageFields header = Read(ref reader);
        // Each node takes well over one byte, so a false count fails here before anything is set aside for it.
        if (reader.Failed || header.Nodes > Math.Min(reader.Remaining, WireLimits.MaxPushPullNodes))
        {
            return null;
        }

        List<PushPullNode> nodes = [];
        for (uint i = 0; i < header.Nodes; i++)
        {
            MessageFields line = Read(ref reader);
            if (reader.Failed || !IsComplete(MessageType.Alive, line)
                || line.State is < 0 or > (int)MemberState.Left)
            {
                return null;
            }

            nodes.Add(line.ToLine());
        }

        if (header.UserStateLength > reader.Remaining)
        {
            return null;
        }

        return new GossipMessage.PushPull(
            header.Join, nodes, reader.Take((int)header.UserStateLength).ToArray(),
            header.HasKnown ? header.Known.ToArray() : null);
    }

    private static bool IsComplete(MessageType type, in MessageFields fields) => type switch
    {
        MessageType.Ping => fields.Source is { IsAbsent: true } or { IsUsable: true },
        MessageType.IndirectPing => fields.Source is { IsAbsent: true } or { IsUsable: true } && fields.Target.IsUsable,
        MessageType.Ack or MessageType.Nack or MessageType.Error => true,
        MessageType.Suspect or MessageType.Dead => !fields.Node.IsEmpty,
        MessageType.Alive => !fields.Node.IsEmpty && fields.EndPoint.IsUsable
            && fields.Versions.Length is 0 or WireLimits.VersionBytes,
        _ => false,
    };

    private static MessageFields Read(scoped ref MsgPackReader reader)
    {
        MessageFields fields = default;
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

    private static void ReadField(scoped ref MsgPackReader reader, ReadOnlySpan<byte> key, ref MessageFields fields)
    {
        if (key.SequenceEqual("SeqNo"u8))
        {
            fields.SequenceNumber = reader.ReadUInt32Value();
        }
        else if (key.SequenceEqual("Node"u8) || key.SequenceEqual("Name"u8))
        {
            fields.Node = reader.ReadRaw(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("From"u8))
        {
            fields.From = reader.ReadRaw(WireLimits.MaxName);
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
            fields.Meta = reader.ReadRaw(WireLimits.MaxMeta);
        }
        else if (key.SequenceEqual("Vsn"u8))
        {
            fields.Versions = reader.ReadRaw(WireLimits.VersionBytes);
        }
        else if (key.SequenceEqual("Sum"u8))
        {
            fields.Digest = reader.ReadUnsigned();
        }
        else if (key.SequenceEqual("Known"u8))
        {
            fields.Known = reader.ReadRaw(WireLimits.MaxKnown);
            fields.HasKnown = true;
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

    private static void ReadRareField(scoped ref MsgPackReader reader, ReadOnlySpan<byte> key, ref MessageFields fields)
    {
        if (key.SequenceEqual("Payload"u8))
        {
            fields.Payload = reader.ReadRaw(WireLimits.MaxPayload);
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
            fields.SourceNode = reader.ReadRaw(WireLimits.MaxName);
        }
        else if (key.SequenceEqual("Target"u8))
        {
            fields.TargetAddress = reader.ReadRaw();
        }
        else if (key.SequenceEqual("Nack"u8))
        {
            fields.WantsNack = reader.ReadBool();
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
            fields.Text = reader.ReadRaw(WireLimits.MaxError);
        }
        else
        {
            reader.Skip();
        }
    }
}

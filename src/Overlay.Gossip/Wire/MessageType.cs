namespace Overlay.Gossip.Wire;

/// <summary>memberlist's first byte of every unit (net.go, messageType).</summary>
internal enum MessageType : byte
{
    Ping = 0,
    IndirectPing = 1,
    Ack = 2,
    Suspect = 3,
    Alive = 4,
    Dead = 5,
    PushPull = 6,
    Compound = 7,
    User = 8,
    Compress = 9,
    Encrypt = 10,
    Nack = 11,
    HasCrc = 12,
    Error = 13,
    HasLabel = 244,
}

/// <summary>Why bytes from outside are not a message. Counted, never thrown.</summary>
public enum PacketRejection
{
    None,
    Empty,
    TooLarge,

    /// <summary>It ends before it should, or a length in it points outside.</summary>
    Truncated,
    Malformed,
    UnknownType,
    UnsupportedLabel,
    BadChecksum,
    BadCompression,

    /// <summary>Encryption is on, and this is not sealed, or with a key that is not in the ring.</summary>
    NotSealed,
}

using System.Net;
using System.Text;

namespace Overlay.Gossip.Wire;

/// <summary>
/// What a message says, where it lies in the packet: nothing is copied, and nothing outlives the packet. Each kind of
/// message has some of these fields; those that it did not bring are empty.
/// </summary>
internal ref struct MessageFields
{
    public uint SequenceNumber;
    public ReadOnlySpan<byte> Node;
    public ReadOnlySpan<byte> From;
    public ReadOnlySpan<byte> SourceNode;
    public ReadOnlySpan<byte> SourceAddress;
    public ushort SourcePort;
    public ReadOnlySpan<byte> TargetAddress;
    public ushort Port;
    public bool WantsNack;

    /// <summary>Of a user message, all of it.</summary>
    public ReadOnlySpan<byte> Payload;
    public uint Incarnation;
    public ReadOnlySpan<byte> Address;
    public ReadOnlySpan<byte> Meta;
    public ReadOnlySpan<byte> Versions;
    public ulong BootId;
    public int State;
    public bool Join;
    public uint Nodes;
    public uint UserStateLength;
    public uint Witnesses;

    /// <summary>Of the accused; see <see cref="GossipMessage.Suspect.Life"/>.</summary>
    public ushort Life;
    public ReadOnlySpan<byte> Text;
    public ulong Digest;
    public ReadOnlySpan<byte> Known;

    /// <summary>An empty <see cref="Known"/> was said.</summary>
    public bool HasKnown;

    /// <summary>Where the answer to a ping goes; absent where it goes back to the packet's sender.</summary>
    public readonly EndPointBytes Source => new(SourceAddress, SourcePort);

    /// <summary>Whom a relay shall ping.</summary>
    public readonly EndPointBytes Target => new(TargetAddress, Port);

    /// <summary>Where the described node is reached.</summary>
    public readonly EndPointBytes EndPoint => new(Address, Port);

    /// <summary>The message as an object that outlives the packet.</summary>
    public readonly GossipMessage ToMessage(MessageType type) => type switch
    {
        MessageType.Ping => new GossipMessage.Ping(
            SequenceNumber, TextOf(Node), Source.ToEndPoint(), TextOf(SourceNode)),
        MessageType.IndirectPing => new GossipMessage.IndirectPing(
            SequenceNumber, Target.ToEndPoint()!, TextOf(Node), WantsNack, Source.ToEndPoint(), TextOf(SourceNode)),
        MessageType.Ack => new GossipMessage.Ack(SequenceNumber, Payload.ToArray(), Digest),
        MessageType.Nack => new GossipMessage.Nack(SequenceNumber),
        MessageType.Suspect => new GossipMessage.Suspect(Incarnation, TextOf(Node), TextOf(From)) { Life = Life },
        MessageType.Dead => new GossipMessage.Dead(Incarnation, TextOf(Node), TextOf(From))
        {
            Life = Life,
            Witnesses = Witnesses,
        },
        MessageType.Alive => ToAlive(TextOf(Node)),
        MessageType.User => new GossipMessage.User(Payload.ToArray()),
        MessageType.Error => new GossipMessage.Error(TextOf(Text)),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>A description of the node, by a name that may be there already.</summary>
    public readonly GossipMessage.Alive ToAlive(string name) =>
        new(Incarnation, name, EndPoint.ToEndPoint()!, Meta.ToArray(), Versions.ToArray(), BootId);

    public readonly PushPullNode ToLine() => new(
        TextOf(Node), EndPoint.ToEndPoint()!, Meta.ToArray(), Incarnation, (MemberState)State, Versions.ToArray(), BootId);

    public static string TextOf(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);
}

/// <summary>An IP address of 4 or 16 bytes, or none, and a port, as they lie in a packet.</summary>
internal readonly ref struct EndPointBytes(ReadOnlySpan<byte> address, ushort port)
{
    private readonly ReadOnlySpan<byte> address = address;
    private readonly ushort port = port;

    public bool IsAbsent => address.IsEmpty;

    public bool IsUsable => address.Length is 4 or 16;

    public ushort Port => port;

    /// <summary>null where it is absent.</summary>
    public IPEndPoint? ToEndPoint() => IsAbsent ? null : new(new IPAddress(address), port);

    /// <summary>The same end point as an object: one of those that are there already, if it is one of them.</summary>
    public IPEndPoint ToEndPoint(IPEndPoint? known, IPEndPoint orThis) =>
        known is not null && Is(known) ? known : Is(orThis) ? orThis : new(new IPAddress(address), port);

    public bool Is(IPEndPoint other)
    {
        Span<byte> bytes = stackalloc byte[16];
        return port == other.Port
            && other.Address.TryWriteBytes(bytes, out int length)
            && address.SequenceEqual(bytes[..length])
            && (length == 4 || other.Address.ScopeId == 0);
    }
}

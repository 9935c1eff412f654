using System.Net;

namespace Overlay.Gossip.Wire;

/// <summary>
/// The messages of HashiCorp memberlist's protocol 2 (type bytes 0–13). Field meanings follow memberlist; keys that
/// memberlist does not know are our extensions, which it ignores.
/// </summary>
public abstract record GossipMessage
{
    private GossipMessage()
    {
    }

    /// <summary>Type 0. <paramref name="Source"/> is where the answer goes; null: the packet's sender.</summary>
    public sealed record Ping(uint SequenceNumber, string Node, IPEndPoint? Source, string SourceNode) : GossipMessage;

    /// <summary>Type 1: asks a relay to ping the target for us.</summary>
    public sealed record IndirectPing(
        uint SequenceNumber, IPEndPoint Target, string Node, bool WantsNack, IPEndPoint? Source, string SourceNode)
        : GossipMessage;

    /// <summary>Type 2.</summary>
    /// <param name="Digest">Extension "Sum": of the members that the sender sees live; 0 where it has none.</param>
    public sealed record Ack(uint SequenceNumber, byte[] Payload, ulong Digest = 0) : GossipMessage;

    /// <summary>Type 11.</summary>
    public sealed record Nack(uint SequenceNumber) : GossipMessage;

    /// <summary>Type 3.</summary>
    public sealed record Suspect(uint Incarnation, string Node, string From) : GossipMessage
    {
        /// <summary>
        /// Extension "L": which life of the accused is meant, a print of its boot id; 0: not said. A restarted node counts
        /// its incarnations anew, so that old accusations would hit it.
        /// </summary>
        public ushort Life { get; init; }
    }

    /// <summary>Type 4.</summary>
    /// <param name="Meta">At most 512 bytes, opaque here.</param>
    /// <param name="Versions">[pmin, pmax, pcur, dmin, dmax, dcur].</param>
    /// <param name="BootId">Extension "BootId": new at every start of the node; 0 where the sender has none.</param>
    public sealed record Alive(
        uint Incarnation, string Node, IPEndPoint Address, byte[] Meta, byte[] Versions, ulong BootId) : GossipMessage;

    /// <summary>Type 5; the node itself as <paramref name="From"/> says that it leaves.</summary>
    public sealed record Dead(uint Incarnation, string Node, string From) : GossipMessage
    {
        /// <summary>Extension "L", as in <see cref="Suspect"/>.</summary>
        public ushort Life { get; init; }

        /// <summary>
        /// Extension "Witnesses": so many observers found that not even the host's kernel answers; 0: nobody looked.
        /// </summary>
        public uint Witnesses { get; init; }
    }

    /// <summary>Type 8: opaque bytes of the layer above.</summary>
    public sealed record User(byte[] Payload) : GossipMessage;

    /// <summary>Type 6, streams only.</summary>
    /// <param name="Known">
    /// Extension "Known": what the sender knows in short, so that only differences are answered; in an answer, of what
    /// it wants more. Empty: nothing is to be answered; null: a full exchange.
    /// </param>
    public sealed record PushPull(
        bool Join, IReadOnlyList<PushPullNode> Nodes, byte[] UserState, byte[]? Known = null) : GossipMessage;

    /// <summary>Type 13, streams only.</summary>
    public sealed record Error(string Text) : GossipMessage;
}

public enum MemberState
{
    Alive = 0,
    Suspect = 1,
    Dead = 2,
    Left = 3,
}

public sealed record PushPullNode(
    string Name, IPEndPoint Address, byte[] Meta, uint Incarnation, MemberState State, byte[] Versions, ulong BootId);

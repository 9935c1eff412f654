using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Attacks;

/// <summary>One node, and packets to it sealed by hand.</summary>
internal sealed class Target
{
    public const ulong Boot = 50;

    private readonly Keyring keys;
    private readonly Prng prng = new(77);

    public Target(ulong seed = 1, Keyring? keys = null, string name = "me", byte host = 1, SwimOptions? options = null)
    {
        this.keys = keys ?? GossipCluster.Keys;
        Swim = new(name, At(host), default, Boot, options ?? SwimOptions.Lan, this.keys, new(seed));
    }

    public Swim Swim { get; }

    public GossipEffects Effects { get; } = new();

    public Instant Now { get; set; } = new(1_000_000_000);

    public Member? this[string name] => Swim.Find(name);

    public static IPEndPoint At(byte host) => new(new IPAddress([10, 0, 0, host]), 7946);

    public static GossipMessage.Alive Alive(string name, byte host, uint incarnation, ulong boot = 3) =>
        new(incarnation, name, At(host), [], [1, 5, 2, 2, 5, 5], boot);

    public byte[] Seal(params GossipMessage[] messages) => PacketCodec.Encode(messages, keys, prng, crc: false);

    public void Hear(params GossipMessage[] messages) => Take(Seal(messages));

    public void Take(byte[] packet) => Swim.Receive(At(66), packet, Now, Effects);

    public void Start() => Swim.Start(Now, Effects);

    /// <summary>Lets so much time pass, at every deadline.</summary>
    public void Advance(TimeSpan time)
    {
        for (Instant end = Now + time; Swim.NextDeadline <= end;)
        {
            Now = Swim.NextDeadline > Now ? Swim.NextDeadline : Now;
            Swim.Advance(Now, Effects);
        }
    }

    /// <summary>What it said in packets since the effects were cleared.</summary>
    public IEnumerable<T> Sent<T>()
    {
        List<GossipMessage> messages = [];
        foreach (Datagram datagram in Effects.Datagrams)
        {
            Assert.True(PacketCodec.TryDecode(datagram.Payload.Span, keys, messages, out _));
        }

        return messages.OfType<T>();
    }
}

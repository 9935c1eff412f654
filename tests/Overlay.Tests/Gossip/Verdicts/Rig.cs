using System.Net;
using System.Text;
using Overlay.Gossip;
using Overlay.Gossip.Verdicts;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Verdicts;

/// <summary>Messages to and from one node, made and read by hand.</summary>
internal static class Rig
{
    private static readonly Prng Prng = new(9);

    public static readonly IPEndPoint Self = new(IPAddress.Parse("10.0.0.2"), 7946);
    public static readonly IPEndPoint Asker = new(IPAddress.Parse("10.0.0.1"), 7946);
    public static readonly IPEndPoint Subject = new(IPAddress.Parse("10.0.0.3"), 7946);

    public static GossipMessage.Alive Alive(string name, IPEndPoint address) => new(1, name, address, [], [1, 5, 2, 2, 5, 5], 3);

    public static byte[] Seal(GossipMessage message) => PacketCodec.Encode([message], GossipCluster.Keys, Prng, crc: false);

    public static byte[] Ask() => Seal(Jury("a", "c", 1, null));

    public static GossipMessage.User Jury(string sender, string subject, uint incarnation, Finding? finding) => new(new JuryMessage
    {
        Sender = Encoding.UTF8.GetBytes(sender),
        Subject = Encoding.UTF8.GetBytes(subject),
        Incarnation = incarnation,
        Finding = finding,
    }.Write(new byte[JuryMessage.MaxBytes]).ToArray());

    public static List<GossipMessage> Messages(GossipEffects e)
    {
        List<GossipMessage> messages = [];
        foreach (Datagram datagram in e.Datagrams)
        {
            Assert.True(PacketCodec.TryDecode(datagram.Payload.Span, GossipCluster.Keys, messages, out _));
        }

        return messages;
    }

    public static Finding[] Told(GossipEffects e) =>
    [
        .. Messages(e).OfType<GossipMessage.User>()
            .Select(u => JuryMessage.TryRead(u.Payload, out JuryMessage message) ? message.Finding : null)
            .OfType<Finding>(),
    ];
}

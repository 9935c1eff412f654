using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.Tests.Cluster;

namespace Overlay.Tests.Node;

/// <summary>The other nodes of the rig: real gossip on a network that loses nothing and takes no time.</summary>
internal sealed partial class NodeRig
{
    private readonly SortedDictionary<string, Peer> peers = new(StringComparer.Ordinal);
    private readonly SortedDictionary<long, Action<ReadOnlyMemory<byte>>> openStreams = [];
    private long lastStream;

    /// <summary>How dials to where no peer is end; null: they never do.</summary>
    public StreamFailure? DialsEnd { get; set; }

    private static IPEndPoint Address => IPEndPoint.Parse($"192.0.2.{Number}:7946");

    /// <summary>Another node's agent starts, and joins.</summary>
    public Peer StartPeer(ulong number, ulong boot, bool attached = true)
    {
        Keyring keys = new([.. Mind.Intent.Cluster!.GossipKeys.Select(static k => k.Key.ToByteArray())]);
        Peer peer = new(number, boot, keys);
        peers[peer.Address.ToString()] = peer;
        peer.Swim.Start(Now, peer.Effects);
        if (attached)
        {
            peer.Swim.Subscribe(Blue.Id, Now, peer.Effects);
        }

        peer.Swim.Settle(Now, peer.Effects);
        peer.Swim.Join([Address], Now, peer.Effects);
        Flush(peer);
        return peer;
    }

    /// <summary>Its host is gone.</summary>
    public void StopPeer(Peer peer) => peers.Remove(peer.Address.ToString());

    public void Speak(Peer peer, Action<Swim, Instant, GossipEffects> action)
    {
        action(peer.Swim, Now, peer.Effects);
        Flush(peer);
    }

    private Instant NextPeerDeadline => peers.Values.Select(static p => p.Swim.NextDeadline).DefaultIfEmpty(Instant.Never).Min();

    private void AdvancePeers()
    {
        foreach (Peer peer in peers.Values.Where(p => p.Swim.NextDeadline <= Now).ToArray())
        {
            Speak(peer, static (s, now, e) => s.Advance(now, e));
        }
    }

    private void Deliver(Datagram[] datagrams, StreamDial[] dials, StreamReply[] replies)
    {
        foreach (StreamReply reply in replies)
        {
            if (openStreams.Remove(reply.ExchangeId, out Action<ReadOnlyMemory<byte>>? answer))
            {
                answer(reply.Response);
            }
        }

        foreach (Datagram datagram in datagrams)
        {
            if (peers.TryGetValue(datagram.To.ToString(), out Peer? to))
            {
                Speak(to, (s, now, e) => s.Receive(Address, datagram.Payload.Span, now, e));
            }
        }

        foreach (StreamDial dial in dials)
        {
            Dial(dial);
        }
    }

    private void Dial(StreamDial dial)
    {
        if (!peers.TryGetValue(dial.To.ToString(), out Peer? to))
        {
            if (DialsEnd is { } failure)
            {
                Do((n, now, e) => n.StreamFailed(dial.ExchangeId, failure, now, e));
            }

            return;
        }

        to.Swim.ReceiveStream(++lastStream, Address, dial.Request.Span, Now, to.Effects);
        ReadOnlyMemory<byte> answer = to.Effects.Replies.Where(r => r.ExchangeId == lastStream).Select(static r => r.Response).FirstOrDefault();
        to.Effects.Replies.Clear();
        Do((n, now, e) => n.StreamCompleted(dial.ExchangeId, answer.Span, now, e));
        Flush(to);
    }

    private void Flush(Peer peer)
    {
        Datagram[] datagrams = [.. peer.Effects.Datagrams.Where(static d => d.To.Equals(Address)).Select(static d => d.Copy())];
        StreamDial[] dials = [.. peer.Effects.Dials.Where(static d => d.To.Equals(Address))];
        peer.Effects.Clear();
        foreach (Datagram datagram in datagrams)
        {
            Do((n, now, e) => n.ReceiveDatagram(peer.Address, datagram.Payload.Span, now, e));
        }

        foreach (StreamDial dial in dials)
        {
            long id = ++lastStream;
            openStreams[id] = bytes => Speak(peer, (s, now, e) => s.StreamCompleted(dial.ExchangeId, bytes.Span, now, e));
            Do((n, now, e) => n.ReceiveStream(id, peer.Address, dial.Request.Span, now, e));
        }
    }

    internal sealed class Peer(ulong number, ulong boot, Keyring keys)
    {
        public string Name { get; } = World.NodeIdOf(number);

        public IPEndPoint Address { get; } = IPEndPoint.Parse($"192.0.2.{number}:7946");

        public GossipEffects Effects { get; } = new();

        public Swim Swim { get; } = new(
            World.NodeIdOf(number), IPEndPoint.Parse($"192.0.2.{number}:7946"), default, boot, SwimOptions.Lan, keys, new(boot));
    }
}

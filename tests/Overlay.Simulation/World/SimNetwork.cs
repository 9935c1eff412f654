using System.Net;
using Overlay.Gossip;
using Overlay.Primitives;

namespace Overlay.Simulation.World;

/// <summary>Datagrams may be lost, doubled and overtaken; streams fail or arrive whole; any direction may be cut.</summary>
internal sealed class SimNetwork(SimWorld world)
{
    private readonly SortedSet<(int From, int To)> cuts = [];
    private readonly SortedDictionary<(int One, int Other), Instant> lastCuts = [];
    private long lastStream;

    public void Cut(int from, int to)
    {
        cuts.Add((from, to));
        lastCuts[(Math.Min(from, to), Math.Max(from, to))] = world.Simulator.Now;
    }

    public void Heal()
    {
        foreach ((int from, int to) in cuts)
        {
            lastCuts[(Math.Min(from, to), Math.Max(from, to))] = world.Simulator.Now;
        }

        cuts.Clear();
    }

    public bool IsCut(int from, int to) => cuts.Contains((from, to));

    /// <summary>Until when a direction between the two was cut; null: never.</summary>
    public Instant? LastCut(int one, int other) => lastCuts.TryGetValue((Math.Min(one, other), Math.Max(one, other)), out Instant at)
        ? IsCut(one, other) || IsCut(other, one) ? world.Simulator.Now : at
        : null;

    public void Send(SimNode from, Datagram datagram)
    {
        SimNode? to = Find(datagram.To);
        double loss = world.Healed ? 0 : world.Options.Loss;
        int copies = world.Simulator.Prng.Chance(loss) ? 0 : world.Simulator.Prng.Chance(world.Options.Duplication) ? 2 : 1;
        for (int i = 0; to is not null && i < copies && !cuts.Contains((from.Number, to.Number)); i++)
        {
            ReadOnlyMemory<byte> payload = datagram.Copy().Payload;
            world.Simulator.Later(Latency(), () => to.Deliver((n, now, e) => n.ReceiveDatagram(from.Gossip, payload.Span, now, e)));
        }
    }

    public void Dial(SimNode from, StreamDial dial)
    {
        int life = from.Life;
        SimNode? to = Find(dial.To);
        void Fail(StreamFailure failure, TimeSpan wait) => world.Simulator.Later(
            wait, () => from.Deliver((n, now, e) => n.StreamFailed(dial.ExchangeId, failure, now, e), life));
        world.Simulator.Later(Latency() + Latency(), () =>
        {
            if (to is not { HostUp: true } || cuts.Contains((from.Number, to.Number)) || cuts.Contains((to.Number, from.Number)))
            {
                Fail(StreamFailure.Unreachable, dial.Timeout);
                return;
            }

            if (!to.Up || to.Paused)
            {
                // The kernel of the other machine answers for its agent: it refuses, or takes what nobody will read.
                Fail(to.Up ? StreamFailure.Unanswered : StreamFailure.Refused, to.Up ? dial.Timeout : Latency());
                return;
            }

            long id = ++lastStream;
            ReadOnlyMemory<byte>? answer = null;
            to.Replies[id] = bytes => answer = bytes;
            to.Deliver((n, now, e) => n.ReceiveStream(id, new(from.Gossip.Address, 40000), dial.Request.Span, now, e));
            to.Replies.Remove(id);
            if (dial.ExpectsReply && answer is null)
            {
                Fail(StreamFailure.Unanswered, Latency());
                return;
            }

            world.Simulator.Later(Latency(), () => from.Deliver(
                (n, now, e) => n.StreamCompleted(dial.ExchangeId, answer is { } unit ? unit.Span : [], now, e), life));
        });
    }

    public TimeSpan Latency() => world.Simulator.Ms(0, world.Options.MaxLatencyMs) + TimeSpan.FromMicroseconds(100);

    private SimNode? Find(IPEndPoint address) => world.Nodes.Find(n => n.Gossip.Equals(address));
}

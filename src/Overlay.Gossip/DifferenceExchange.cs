using System.Net;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// Keeps what ours know of members equal. Every answered probe brings the other's digest; where it differs, and not
/// only because news is still on its way, a list of eight bytes a member goes there by stream, and what differs comes
/// back and forth. While that brings anything, a random peer follows, so that thousands who just met, or met again,
/// agree after a few rounds.
/// </summary>
internal sealed class DifferenceExchange(
    SwimOptions options, MemberList members, SerfLayer serf, Outbox outbox, Prng prng, GossipCounters counters)
{
    private const int FewDifferences = 2;
    private const int MaxRounds = 64;

    /// <summary>News that is on its way has arrived by then.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>The pause after an exchange; doubled after each that brought nothing, so often at most.</summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);
    private const int MaxDoublings = 3;

    private readonly SortedDictionary<long, Exchange> open = [];
    private Instant nextAt = Instant.Never;
    private Instant quietUntil;
    private Instant differsSince = Instant.Never;
    private int rounds;
    private int fruitless;

    public Instant NextDeadline
    {
        get
        {
            Instant next = nextAt;
            if (open.Count > 0)
            {
                foreach (Exchange exchange in open.Values)
                {
                    next = Instant.Min(next, exchange.GiveUpAt);
                }
            }

            return next;
        }
    }

    public void Stop()
    {
        nextAt = Instant.Never;
        open.Clear();
    }

    /// <summary>A probed peer told its digest.</summary>
    public void Compare(MemberEntry peer, ulong theirs, Instant now, GossipEffects e)
    {
        if (!options.ComparesDigests || theirs == 0)
        {
            return;
        }

        if (theirs == members.Digest)
        {
            differsSince = Instant.Never;
            fruitless = 0;
            return;
        }

        differsSince = Instant.Min(differsSince, now);
        int distance = Math.Abs(MemberDigest.CountOf(theirs) - members.LiveCount);
        bool far = distance > Math.Max(FewDifferences, members.LiveCount / 50);
        if (now >= quietUntil && !open.Values.Any(static x => x.ToLiving) && (far || now - differsSince >= Patience))
        {
            rounds = 0;
            Begin(peer, now, e);
        }
    }

    /// <summary>Right after joining: others joined meanwhile.</summary>
    public void Continue(Instant now)
    {
        if (options.ComparesDigests)
        {
            rounds = 0;
            nextAt = Instant.Min(nextAt, now + (options.DifferenceInterval * (0.5 + prng.NextDouble())));
        }
    }

    public void Advance(Instant now, GossipEffects e)
    {
        if (open.Count > 0)
        {
            foreach (long id in open.Where(x => x.Value.GiveUpAt <= now).Select(x => x.Key).ToList())
            {
                open.Remove(id);
            }
        }

        if (now >= nextAt)
        {
            nextAt = Instant.Never;
            foreach (MemberEntry peer in members.Ring.Pick(1, static m => m is { IsOurs: true, State: MemberState.Alive }))
            {
                Begin(peer, now, e);
            }
        }
    }

    /// <summary>Asks what the peer knows otherwise. It learns at once what this node thinks of it.</summary>
    public void Begin(MemberEntry peer, Instant now, GossipEffects e)
    {
        if (open.Values.Any(x => x.To.Equals(peer.Address)))
        {
            return;
        }

        if (peer.IsLive)
        {
            quietUntil = now + (Rest * (1 << Math.Min(fruitless, MaxDoublings)));
        }

        var request = new GossipMessage.PushPull(
            false, [members.Self.ToPushPull(), peer.ToPushPull()], serf.Wrap([], isForeign: false), MemberDigest.List(members.Self, members.Others));
        long id = outbox.Dial(e, peer.Address, request, options.TcpTimeout, expectsReply: true);
        open.Add(id, new(peer.Address, peer.IsLive, now + (options.TcpTimeout * 1.5)));
    }

    /// <summary>The acceptor's side.</summary>
    public void Answer(long exchangeId, GossipMessage.PushPull request, Instant now, GossipEffects e)
    {
        counters.DifferenceExchanges++;
        serf.Merge(request.UserState, joins: false, now, e);
        string dialer = request.Nodes.Count > 0 ? request.Nodes[0].Name : members.Self.Name;
        foreach (PushPullNode line in request.Nodes.Where(n => members.IsSelf(n.Name)))
        {
            members.Apply(line, dialer, now, e);
        }

        members.Merge([.. request.Nodes.Where(n => !members.IsSelf(n.Name))], dialer, now, e);
        if (request.Known!.Length == 0)
        {
            return;
        }

        Dictionary<uint, uint> theirs = MemberDigest.Read(request.Known);
        List<PushPullNode> lines = [];
        List<uint> wanted = [];
        Weigh(members.Self, theirs, lines, wanted);
        for (int i = 0; i < members.Others.Count; i++)
        {
            Weigh(members.Others[i], theirs, lines, wanted);
        }

        // In the order they were listed in; what is left is unknown here.
        ReadOnlySpan<byte> list = request.Known;
        for (int at = 0; at + MemberDigest.EntryBytes <= list.Length && theirs.Count > 0; at += MemberDigest.EntryBytes)
        {
            uint key = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(list[at..]);
            if (theirs.Remove(key, out uint state) && MemberDigest.IsLive(state))
            {
                wanted.Add(key);
            }
        }

        byte[] serfState = serf.Wrap([], isForeign: false);
        outbox.Reply(e, exchangeId, new GossipMessage.PushPull(false, lines, serfState, MemberDigest.List(wanted)));
    }

    /// <summary>False where the exchange is not one of these.</summary>
    public bool Completed(long exchangeId, GossipMessage? answer, Instant now, GossipEffects e)
    {
        if (!open.Remove(exchangeId, out Exchange exchange))
        {
            return false;
        }

        if (answer is not GossipMessage.PushPull state)
        {
            counters.StreamsFailed++;
            return true;
        }

        counters.DifferenceExchanges++;
        ulong before = members.Digest;
        serf.Merge(state.UserState, joins: false, now, e);
        members.Merge(state.Nodes, NameAt(exchange.To), now, e);
        if (state.Known is { Length: > 0 } wanted)
        {
            Dictionary<uint, uint> keys = MemberDigest.Read(wanted);
            List<PushPullNode> lines = [members.Self.ToPushPull()];
            lines.AddRange(members.Others.Where(m => keys.ContainsKey(MemberDigest.KeyOf(m))).Select(static m => m.ToPushPull()));
            outbox.Dial(
                e, exchange.To, new GossipMessage.PushPull(false, lines, [], []), options.TcpTimeout, expectsReply: false);
        }

        bool brought = members.Digest != before;
        fruitless = brought ? 0 : fruitless + 1;
        if (brought && ++rounds < MaxRounds)
        {
            nextAt = Instant.Min(nextAt, now + (options.DifferenceInterval * (0.5 + prng.NextDouble())));
        }

        return true;
    }

    /// <summary>False where the exchange is not one of these.</summary>
    public bool Failed(long exchangeId) => open.Remove(exchangeId);

    private static void Weigh(MemberEntry mine, Dictionary<uint, uint> theirs, List<PushPullNode> lines, List<uint> wanted)
    {
        uint key = MemberDigest.KeyOf(mine);
        if (!theirs.Remove(key, out uint state))
        {
            if (mine.IsLive)
            {
                lines.Add(mine.ToPushPull());
            }
        }
        else if (state != MemberDigest.StateOf(mine))
        {
            lines.Add(mine.ToPushPull());
            wanted.Add(key);
        }
    }

    private string NameAt(IPEndPoint address) =>
        members.Others.FirstOrDefault(m => m.Address.Equals(address))?.Name ?? members.Self.Name;

    /// <param name="ToLiving">A dial to a dead host fails after long only; meanwhile the living go on comparing.</param>
    private readonly record struct Exchange(IPEndPoint To, bool ToLiving, Instant GiveUpAt);
}

using System.Net;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Tables;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// Full exchanges by stream: to join, from time to time with a random peer, and with the dead and the seeds that
/// nobody speaks for, so that a partition of any length heals.
/// </summary>
internal sealed class PushPullExchange(
    SwimOptions options, MemberList members, TableSync tables, DifferenceExchange differences, SerfLayer serf,
    Outbox outbox, Prng prng, GossipCounters counters)
{
    private const int MaxSeeds = 64;
    private const int ReconnectsAtOnce = 2;

    /// <summary>Of many seeds so many are asked at once, and again after this time while members are missing.</summary>
    private const int SoughtAtOnce = 3;
    private static readonly TimeSpan SeekPace = TimeSpan.FromMilliseconds(250);

    /// <summary>About so many members together try a dead one in each interval.</summary>
    private const int ReconnectsToOne = 10;

    private readonly SortedDictionary<long, Exchange> open = [];
    private readonly List<IPEndPoint> seeds = [];
    private readonly List<IPEndPoint> sought = [];
    private Instant nextSought = Instant.Never;
    private Instant nextPeriodic = Instant.Never;
    private Instant nextReconnect = Instant.Never;

    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Min(nextSought, Instant.Min(nextPeriodic, nextReconnect));
            if (open.Count > 0)
            {
                foreach (Exchange exchange in open.Values)
                {
                    next = Instant.Min(next, exchange.Deadline);
                }
            }

            return next;
        }
    }

    /// <summary>memberlist's scaling: one more interval for each doubling above 32 members.</summary>
    private TimeSpan PeriodicInterval => members.LiveCount <= 32
        ? options.PushPullInterval
        : options.PushPullInterval * (Math.Ceiling(Math.Log2(members.LiveCount) - 5) + 1);

    public void Start(Instant now)
    {
        nextPeriodic = now + prng.Between(TimeSpan.Zero, options.PushPullInterval);
        nextReconnect = NextReconnect(now);
    }

    public void Stop()
    {
        nextPeriodic = Instant.Never;
        nextReconnect = Instant.Never;
        nextSought = Instant.Never;
        sought.Clear();
        seeds.Clear();
    }

    public void Join(IReadOnlyList<IPEndPoint> addresses, Instant now, GossipEffects e)
    {
        foreach (IPEndPoint seed in addresses.Where(Remember))
        {
            Dial(seed, join: true, now, e);
        }

        PutOffReconnect(now);
    }

    /// <summary>
    /// Joins by a few of them. Whoever is known to be alive by then need not be asked: one answer names all, and a full
    /// exchange with each of a hundred is what a hundred agents would do for one that joins.
    /// </summary>
    public void Seek(IReadOnlyList<IPEndPoint> addresses, Instant now, GossipEffects e)
    {
        sought.AddRange(addresses.Where(Remember));
        for (int i = sought.Count - 1; i > 0; i--)
        {
            int other = prng.Next(i + 1);
            (sought[i], sought[other]) = (sought[other], sought[i]);
        }

        SeekMore(now, e);
        PutOffReconnect(now);
    }

    public void Advance(Instant now, GossipEffects e)
    {
        if (open.Count > 0)
        {
            foreach (long id in open.Where(x => x.Value.Deadline <= now).Select(x => x.Key).ToList())
            {
                Failed(id, e);
            }
        }

        if (now >= nextSought)
        {
            SeekMore(now, e);
        }

        if (now >= nextPeriodic)
        {
            nextPeriodic = now + PeriodicInterval;
            foreach (MemberEntry peer in members.Ring.Pick(
                1, m => m.State == MemberState.Alive && !(m.IsOurs && options.ComparesDigests && serf.IsSilent)))
            {
                if (peer.IsOurs && options.ComparesDigests)
                {
                    // Digests do not tell of events; this carries them.
                    differences.Begin(peer, now, e);
                }
                else
                {
                    Dial(peer.Address, join: false, now, e);
                }
            }
        }

        if (now >= nextReconnect)
        {
            Reconnect(now, e);
        }
    }

    /// <summary>The acceptor's side. What concerns this node is heard first, so that the answer refutes it.</summary>
    public void Answer(
        long exchangeId, GossipMessage.PushPull request, IPEndPoint from, Instant now, GossipEffects e)
    {
        counters.PushPulls++;
        foreach (PushPullNode line in request.Nodes.Where(n => members.IsSelf(n.Name)))
        {
            members.Apply(line, members.Self.Name, now, e);
        }

        request = request with { UserState = serf.Merge(request.UserState, joins: false, now, e) };
        bool isForeign = request.UserState.Length == 0;
        byte[] userState = serf.Wrap(isForeign ? [] : tables.AnswerUserState(request.UserState), isForeign);
        outbox.Reply(e, exchangeId, new GossipMessage.PushPull(false, Lines(), userState));
        Merge(request, from, now, e);
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
            Report(exchange, answer is GossipMessage.Error error ? error.Text : $"{exchange.To} answered something else", e);
            return true;
        }

        counters.PushPulls++;
        state = state with { UserState = serf.Merge(state.UserState, exchange.Join, now, e) };
        Merge(state, exchange.To, now, e);
        if (exchange.Join)
        {
            e.Events.Add(new GossipEvent.Joined(exchange.To, state.Nodes.Count));
            differences.Continue(now);
        }

        return true;
    }

    public bool Failed(long exchangeId, GossipEffects e)
    {
        if (!open.Remove(exchangeId, out Exchange exchange))
        {
            return false;
        }

        Report(
            exchange,
            $"No answer from {exchange.To} by TCP: the agent there may be down, the port filtered, or the gossip key "
            + "another one. It is tried again.",
            e);
        return true;
    }

    private void Report(Exchange exchange, string text, GossipEffects e)
    {
        counters.StreamsFailed++;
        if (exchange.Join)
        {
            e.Events.Add(new GossipEvent.JoinFailed(exchange.To, text));
        }
    }

    private void Dial(IPEndPoint to, bool join, Instant now, GossipEffects e)
    {
        if (open.Values.Any(x => x.To.Equals(to)))
        {
            return;
        }

        bool isForeign = members.Others.Any(m => !m.IsOurs && m.Address.Equals(to));
        byte[] userState = serf.Wrap(isForeign ? [] : tables.RequestUserState(), isForeign);
        var request = new GossipMessage.PushPull(join, Lines(), userState);
        long id = outbox.Dial(e, to, request, options.TcpTimeout, expectsReply: true);
        open.Add(id, new(to, join, now + (options.TcpTimeout * 1.5)));
    }

    private List<PushPullNode> Lines() =>
        [members.Self.ToPushPull(), .. members.Others.Select(m => m.ToPushPull())];

    private void Merge(GossipMessage.PushPull state, IPEndPoint from, Instant now, GossipEffects e)
    {
        members.Merge(state.Nodes, members.Self.Name, now, e);
        tables.Receive(state.UserState, from, now, e);
    }

    private bool Remember(IPEndPoint seed)
    {
        if (seed.Port == 0 || seed.Equals(members.Self.Address))
        {
            return false;
        }

        if (!seeds.Contains(seed) && seeds.Count < MaxSeeds)
        {
            seeds.Add(seed);
        }

        return true;
    }

    private void SeekMore(Instant now, GossipEffects e)
    {
        SortedSet<string> live = LiveAddresses();
        sought.RemoveAll(s => live.Contains(s.ToString()));
        for (int i = 0; i < SoughtAtOnce && sought.Count > 0; i++)
        {
            Dial(sought[^1], join: true, now, e);
            sought.RemoveAt(sought.Count - 1);
        }

        nextSought = sought.Count > 0 ? now + SeekPace : Instant.Never;
    }

    private SortedSet<string> LiveAddresses() =>
        new(members.Others.Where(static m => m.IsLive).Select(static m => m.Address.ToString()), StringComparer.Ordinal);

    private void PutOffReconnect(Instant now)
    {
        if (nextReconnect != Instant.Never)
        {
            nextReconnect = NextReconnect(now);
        }
    }

    private void Reconnect(Instant now, GossipEffects e)
    {
        SortedSet<string> live = LiveAddresses();
        List<IPEndPoint> absent = [.. seeds.Where(s => !live.Contains(s.ToString()))];
        bool alone = members.LiveCount == 1;
        foreach (IPEndPoint seed in alone ? absent : [])
        {
            Dial(seed, join: true, now, e);
        }

        nextReconnect = NextReconnect(now);
        if (options.ReconnectInterval <= TimeSpan.Zero)
        {
            return;
        }

        List<MemberEntry> dead = [.. members.Others.Where(m => m.State == MemberState.Dead && !absent.Contains(m.Address))];
        if (dead.Count > 0 && !prng.Chance((double)ReconnectsToOne * dead.Count / members.LiveCount))
        {
            // All the others try as well; together they are enough.
            dead.Clear();
        }

        for (int i = 0; i < ReconnectsAtOnce && absent.Count + dead.Count > 0; i++)
        {
            int chosen = prng.Next(absent.Count + dead.Count);
            if (chosen < absent.Count)
            {
                Dial(absent[chosen], join: false, now, e);
                absent.RemoveAt(chosen);
                continue;
            }

            MemberEntry member = dead[chosen - absent.Count];
            dead.Remove(member);
            if (member.IsOurs && options.ComparesDigests)
            {
                differences.Begin(member, now, e);
            }
            else
            {
                Dial(member.Address, join: false, now, e);
            }
        }
    }

    private Instant NextReconnect(Instant now)
    {
        TimeSpan interval = members.LiveCount == 1 ? options.JoinRetryInterval : options.ReconnectInterval;
        return interval <= TimeSpan.Zero ? Instant.Never : now + (interval * (0.75 + (0.5 * prng.NextDouble())));
    }

    private readonly record struct Exchange(IPEndPoint To, bool Join, Instant Deadline);
}

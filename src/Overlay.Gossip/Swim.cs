using System.Net;
using Overlay.Gossip.Coordinates;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Steadiness;
using Overlay.Gossip.Tables;
using Overlay.Gossip.Verdicts;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// One node's gossip: who is a member and alive (SWIM, Das et al. 2002, with Lifeguard; memberlist's protocol), and
/// tables of opaque entries that each member writes for the networks it is attached to.
/// </summary>
/// <remarks>
/// The caller hands in every packet and stream that is already waiting before it calls <see cref="Advance"/>: a timer
/// fired before the answer that lies in the queue would accuse a healthy peer. Every method appends to the effects.
/// </remarks>
public sealed partial class Swim
{
    private readonly SwimOptions options;
    private readonly Awareness awareness;
    private readonly MemberList members;
    private readonly Outbox outbox;
    private readonly OwnCoordinate coordinate;
    private readonly Prober prober;
    private readonly HostChecks hosts;
    private readonly Jury jury;
    private readonly SessionWatch sessions;
    private readonly Alerts alerts;
    private readonly Trials trials;
    private readonly Contacts contacts;
    private readonly GossipRounds rounds;
    private readonly PushPullExchange exchanges;
    private readonly DifferenceExchange differences;
    private readonly TableStore store;
    private readonly TableSync tables;
    private readonly SerfLayer serf;
    private readonly Prng prng;
    private readonly SortedSet<string> view = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Instant> strangers = new(StringComparer.Ordinal);
    private Instant settleAt = Instant.Never;
    private Instant reapAt = Instant.Never;
    private Instant leaveBy = Instant.Never;
    private bool gone;

    /// <param name="name">Unique in the cluster.</param>
    /// <param name="address">Where others reach this node by UDP and TCP.</param>
    /// <param name="bootId">Grows with every start of the node, for instance the time; never 0.</param>
    public Swim(
        string name,
        IPEndPoint address,
        ReadOnlyMemory<byte> meta,
        ulong bootId,
        SwimOptions options,
        Keyring keyring,
        Prng prng)
    {
        Invariant.Holds(name.Length > 0 && bootId != 0 && meta.Length <= options.MaxMetaBytes);
        this.options = options;
        this.prng = prng;
        awareness = new(options.AwarenessMaxMultiplier);
        var self = new MemberEntry(name, address)
        {
            Meta = Tags.WithBoot(meta.ToArray(), bootId),
            Incarnation = 1,
            Described = 1,
            State = MemberState.Alive,
            BootId = bootId,
        };
        members = new(self, new(), options, prng, awareness, Counters);
        outbox = new(keyring, prng, Counters);
        coordinate = new(prng, Coordinate.Origin);
        prober = new(options, members, awareness, outbox, coordinate, prng, Counters);
        hosts = new(options, members, outbox, prng, Counters);
        jury = new(options, members, awareness, outbox, prng, Counters);
        sessions = new(options, members, jury, outbox, prng, Counters);
        alerts = new(options, members, Counters);
        trials = new(options, members, alerts, awareness, outbox, prng);
        contacts = new(options, members, outbox, prng);
        serf = new(options, members, outbox, prng, Counters);
        rounds = new(options, members, serf.Queue, alerts.Queue, outbox);
        store = new(options, members);
        tables = new(options, members, store, new(options, members, outbox), outbox, prng, Counters);
        differences = new(options, members, serf, outbox, prng, Counters);
        exchanges = new(options, members, tables, differences, serf, outbox, prng, Counters);
    }

    public GossipCounters Counters { get; } = new();

    /// <summary>Lifeguard's local health: 0 is healthy.</summary>
    public int HealthScore => awareness.Score;

    /// <summary>News of members that wait to be passed on.</summary>
    public int QueuedRumours => members.Rumours.Count;

    /// <summary>Sorted by name, this node included.</summary>
    public IReadOnlyCollection<Member> Members =>
        [.. members.Others.Append(members.Self).OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => m.ToMember())];

    /// <summary>When <see cref="Advance"/> is due at the latest; a moment in the past is due now.</summary>
    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Min(rounds.NextDeadline, leaveBy);
            next = Instant.Min(next, Instant.Min(settleAt, reapAt));
            next = Instant.Min(next, Instant.Min(members.NextDeadline, prober.NextDeadline));
            next = Instant.Min(next, Instant.Min(hosts.NextDeadline, differences.NextDeadline));
            next = Instant.Min(next, Instant.Min(jury.NextDeadline, contacts.NextDeadline));
            next = Instant.Min(next, Instant.Min(sessions.NextDeadline, serf.NextDeadline));
            next = Instant.Min(next, Instant.Min(trials.NextDeadline, alerts.NextDeadline));
            return gone ? Instant.Never : Instant.Min(next, Instant.Min(exchanges.NextDeadline, tables.NextDeadline));
        }
    }

    public Member? Find(string name) => members.Find(name)?.ToMember();

    public void Start(Instant now, GossipEffects e)
    {
        members.Self.Since = now;
        members.HeardAt = now;
        members.Rumours.Add(members.Self.Name, members.Self.ToAlive());
        prober.Start(now + prng.Between(TimeSpan.Zero, options.ProbeInterval));
        exchanges.Start(now);
        rounds.Start(now - prng.Between(TimeSpan.Zero, options.GossipInterval));
        tables.Start(now);
        settleAt = now + options.SettleTime;
        reapAt = now + TimeSpan.FromMinutes(1);
        e.Events.Add(new GossipEvent.MemberChanged(members.Self.ToMember(), null));
    }

    /// <summary>Makes members known as if they had been for long, so that a large cluster can be looked at at rest.</summary>
    internal void Acquaint(IEnumerable<PushPullNode> lines, Instant now)
    {
        members.Acquaint(lines, now);
        view.UnionWith(members.Others.Where(static m => m.IsPresent).Select(static m => m.Name));
    }

    /// <summary>Exchanges everything with each seed. Seeds are remembered: whenever nobody at a seed's address is
    /// alive, it is tried again.</summary>
    public void Join(IReadOnlyList<IPEndPoint> seeds, Instant now, GossipEffects e) => exchanges.Join(seeds, now, e);

    /// <summary>Joins by a few of many seeds, and by more of them while they do not answer or do not know the others.</summary>
    public void Seek(IReadOnlyList<IPEndPoint> seeds, Instant now, GossipEffects e) => exchanges.Seek(seeds, now, e);

    /// <summary>Says goodbye; the event <see cref="GossipEvent.Left"/> tells when that is done.</summary>
    public void Leave(Instant now, GossipEffects e)
    {
        if (members.Own.HasLeft)
        {
            return;
        }

        GossipMessage.Dead goodbye = members.Death(members.Self, members.Self.Name);
        members.Own.Leave(goodbye, now);
        List<GossipMessage> farewell = [goodbye];
        if (serf.Farewell() is { } intent)
        {
            farewell.Insert(0, intent);
        }

        foreach (MemberEntry peer in members.Ring.Pick(options.DirectFanout, m => m.IsLive))
        {
            outbox.Send(e, peer.Address, farewell);
        }

        prober.Stop();
        exchanges.Stop();
        differences.Stop();
        leaveBy = now + options.LeaveTimeout;
        EndIfTold(now, e);
    }

    /// <summary>
    /// Names a member of this node's former life. Until it is heard of it is dead to the protocol, and held as long as
    /// its host answers, so that what is remembered of it stands; see <see cref="Presence.AgentDown"/>.
    /// </summary>
    public void Recall(string name, IPEndPoint address, Instant now) => members.Recall(name, address, now);

    /// <summary>What a dead member said no longer stands, whether or not its host answers.</summary>
    public void EndHold(string name, Instant now, GossipEffects e)
    {
        if (members.Find(name) is { HeldUntil: not null } member)
        {
            members.EndHold(member, now, e);
            FollowUp(now, e);
        }
    }

    public void Receive(IPEndPoint from, ReadOnlySpan<byte> datagram, Instant now, GossipEffects e)
    {
        if (gone)
        {
            return;
        }

        Counters.DatagramsReceived++;
        if (!PacketCodec.TryDecode(datagram, outbox.Keyring, new Hearing(this, from, now, e), out PacketRejection why))
        {
            Counters.Reject(why);
            return;
        }

        members.HeardAt = now;
        FollowUp(now, e);
    }

    /// <summary>The acceptor's side of a stream; without a reply in the effects the connection is closed.</summary>
    /// <param name="exchangeId">The shell's number of the connection, given back in the reply.</param>
    public void ReceiveStream(
        long exchangeId, IPEndPoint from, ReadOnlySpan<byte> unit, Instant now, GossipEffects e)
    {
        if (gone)
        {
            return;
        }

        if (!StreamCodec.TryDecode(unit, outbox.Keyring, out GossipMessage? message, out PacketRejection why))
        {
            Counters.Reject(why);
            return;
        }

        switch (message)
        {
            case GossipMessage.PushPull { Known: not null } request:
                differences.Answer(exchangeId, request, now, e);
                break;
            case GossipMessage.PushPull state:
                exchanges.Answer(exchangeId, state, from, now, e);
                break;
            case GossipMessage.Ping ping when ping.Node.Length == 0 || members.IsSelf(ping.Node):
                outbox.Reply(e, exchangeId, new GossipMessage.Ack(ping.SequenceNumber, []));
                break;
            case GossipMessage.User user:
                HearUser(user.Payload, from, now, e);
                break;
            default:
                Counters.Refused++;
                break;
        }

        FollowUp(now, e);
    }

    /// <summary>A dial of ours is done.</summary>
    /// <param name="unit">The answer; empty where none was expected.</param>
    public void StreamCompleted(long exchangeId, ReadOnlySpan<byte> unit, Instant now, GossipEffects e)
    {
        if (gone || unit.IsEmpty)
        {
            return;
        }

        if (!StreamCodec.TryDecode(unit, outbox.Keyring, out GossipMessage? message, out PacketRejection why))
        {
            Counters.Reject(why);
            StreamFailed(exchangeId, StreamFailure.Unanswered, now, e);
            return;
        }

        if (message is GossipMessage.Ack ack && prober.StreamAnswered(exchangeId, ack.SequenceNumber))
        {
            return;
        }

        if (!hosts.Completed(exchangeId, now, e) && !jury.Completed(exchangeId, now, e)
            && !trials.Completed(exchangeId) && !differences.Completed(exchangeId, message, now, e) && !exchanges.Completed(exchangeId, message, now, e))
        {
            Counters.Stale++;
        }

        FollowUp(now, e);
    }

    /// <summary>A dial of ours failed, or its time was up.</summary>
    /// <param name="failure">What that says of the host that was dialled.</param>
    public void StreamFailed(long exchangeId, StreamFailure failure, Instant now, GossipEffects e)
    {
        if (!gone && !hosts.Failed(exchangeId, failure, now, e) && !jury.Failed(exchangeId, failure, now, e)
            && !trials.Failed(exchangeId) && !differences.Failed(exchangeId) && !exchanges.Failed(exchangeId, e))
        {
            Counters.StreamsFailed++;
        }

        FollowUp(now, e);
    }

    public void Advance(Instant now, GossipEffects e)
    {
        if (gone)
        {
            return;
        }

        members.Advance(now, e);
        prober.Advance(now, e);
        hosts.Advance(now, e);
        sessions.Advance(now, e);
        jury.Advance(now, e);
        trials.Advance(now, e);
        alerts.Advance(now, e);
        contacts.Advance(now, e);
        exchanges.Advance(now, e);
        differences.Advance(now, e);
        serf.Advance(now, e);
        FollowUp(now, e);
        if (now >= settleAt)
        {
            Settle(now, e);
        }

        if (now >= reapAt)
        {
            Reap(now, e);
        }

        rounds.Advance(now, e);
        tables.Advance(now, e);
        EndIfTold(now, e);
    }

    /// <summary>Later packets are sealed with the first key and opened with any.</summary>
    public void SetKeyring(Keyring keys) => outbox.SetKeyring(keys);

    public void SetMeta(ReadOnlyMemory<byte> meta)
    {
        Invariant.Holds(meta.Length <= options.MaxMetaBytes, "meta is within its limit");
        members.Self.Meta = Tags.WithBoot(meta.ToArray(), members.Self.BootId);
        members.Own.Redescribe();
    }

    /// <summary>Lets the tables follow what the members' part learnt, and answers a claim on our boot id.</summary>
    private void FollowUp(Instant now, GossipEffects e)
    {
        if (members.Doubtful.Count > 0)
        {
            prober.AskDoubtful(now, e);
        }

        if (members.Objected.Count > 0)
        {
            foreach (MemberEntry member in members.Objected)
            {
                trials.Objected(member, now);
            }

            members.Objected.Clear();
        }

        if (members.Changed.Count > 0)
        {
            List<string> changed = [.. members.Changed.Distinct(StringComparer.Ordinal)];
            foreach (string name in changed)
            {
                store.OwnerChanged(name, e);
                if (members.Find(name) is { IsLive: true, IsOurs: true } peer && peer.LiveSince == now)
                {
                    tables.Returned(name, now);
                }
            }

            FollowView(now, e);
            serf.MembersChanged(changed);
            members.Changed.Clear();
            tables.NoticePeers(now, e);
        }

        ulong taken = Math.Max(members.Own.OutbidBootId, tables.OutbidBootId);
        members.Own.OutbidBootId = 0;
        tables.OutbidBootId = 0;
        if (taken >= members.Self.BootId && members.Self.BootId < Protocol.MaxBootId)
        {
            // At the end of the ids both have the same, and the incarnation decides.
            members.Self.BootId = Math.Min(taken, Protocol.MaxBootId - 1) + 1;
            members.Self.Meta = Tags.WithBoot(members.Self.Meta, members.Self.BootId);
            members.Own.Redescribe();
            store.Renew(members.Self.BootId, now);
        }
    }

    private void FollowView(Instant now, GossipEffects e)
    {
        List<string> lost = [];
        List<string> gained = [];
        foreach (string name in members.Changed)
        {
            bool counts = members.Find(name) is { IsPresent: true };
            if (counts && view.Add(name))
            {
                gained.Add(name);
            }
            else if (!counts && view.Remove(name))
            {
                lost.Add(name);
            }
        }

        if (gained.Count > 0)
        {
            contacts.SomeoneReturned(now);
        }

        if (lost.Count + gained.Count > 0)
        {
            ViewEpoch++;
            e.Events.Add(new GossipEvent.ViewChanged(ViewEpoch, lost, gained));
        }
    }

    private void EndIfTold(Instant now, GossipEffects e)
    {
        bool told = !members.Rumours.Contains(members.Self.Name) || members.LiveCount <= 1;
        if (members.Own.HasLeft && !gone && (told || now >= leaveBy))
        {
            gone = true;
            tables.Stop();
            e.Events.Add(new GossipEvent.Left());
        }
    }
}

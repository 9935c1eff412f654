using System.Net;
using Overlay.Gossip.Coordinates;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// SWIM's failure detector with Lifeguard's nacks: one member at a time is pinged, then through relays and by a
/// stream; who answers none of these is suspected.
/// </summary>
internal sealed class Prober(
    SwimOptions options, MemberList members, Awareness awareness, Outbox outbox, OwnCoordinate coordinate, Prng prng,
    GossipCounters counters)
{
    /// <summary>At most so many of those whose life is in doubt are asked after one input.</summary>
    private const int MaxAsked = 16;

    private readonly Relays relays = new(options, members, outbox, counters);
    private readonly RoundTrips roundTrips = new(options);
    private int turn;
    private uint sequence = (uint)prng.NextUInt64();
    private Instant nextStart = Instant.Never;
    private Probe? probe;

    /// <summary>Whom only a stream reached for the first time: asked next, as what was in its way may be over.</summary>
    private MemberEntry? again;

    public Instant NextDeadline => Instant.Min(
        relays.NextDeadline,
        probe is null ? nextStart : probe.AskedRelays ? probe.End : probe.RelaysAt);

    public void Start(Instant firstProbe) => nextStart = firstProbe;

    public void Stop()
    {
        nextStart = Instant.Never;
        probe = null;
    }

    public void Advance(Instant now, GossipEffects e)
    {
        relays.Advance(now, e);
        if (probe is { AskedRelays: false } && now >= probe.RelaysAt)
        {
            AskRelays(probe, now, e);
        }

        if (probe is not null && now >= probe.End)
        {
            Fail(probe, now, e);
        }

        if (probe is null && now >= nextStart)
        {
            Begin(now, e);
        }
    }

    public void HearPing(in MessageFields ping, IPEndPoint from, GossipEffects e)
    {
        if (!ping.Node.IsEmpty && !ReferenceEquals(members.Find(ping.Node), members.Self))
        {
            counters.Refused++;
            return;
        }

        // A stranger that knows this node by name was a member before this node forgot it, or hears of it from others: the
        // digest tells it that it is unknown here, and it makes itself known. Foreigners say where they are.
        MemberEntry? asker = members.Find(ping.SourceNode);
        bool isOurs = asker?.IsOurs ?? ping.Source.IsAbsent;
        ulong digest = options.ComparesDigests && isOurs ? members.Digest : 0;
        PacketWriter answer = PacketCodec.Begin();
        answer.AddAck(ping.SequenceNumber, options.Extends ? coordinate.PayloadFor(asker) : [], digest);
        if (options.TellsAskers && asker is { State: MemberState.Suspect or MemberState.Dead } accused)
        {
            answer.Add(Accuse(accused));
        }

        IPEndPoint to = ping.Source.IsAbsent ? from : ping.Source.ToEndPoint(asker?.Address, orThis: from);
        SendWithRumours(e, to, answer);
    }

    public void HearIndirectPing(in MessageFields request, IPEndPoint from, Instant now, GossipEffects e) =>
        relays.Begin(request, ++sequence, from, now, e);

    /// <summary>The member that answered the running probe, where the answer is to that.</summary>
    public MemberEntry? HearAck(in MessageFields ack, IPEndPoint from, Instant now, GossipEffects e)
    {
        if (probe is not null && probe.Sequence == ack.SequenceNumber)
        {
            awareness.Add(-1);
            MemberEntry target = probe.Target;
            if (from.Equals(target.Address))
            {
                // A late answer counts too, else a network that became slower would never be noticed.
                roundTrips.Add(now - probe.Sent);
            }

            if (target.IsDegraded)
            {
                target.IsDegraded = false;
                e.Events.Add(new GossipEvent.MemberChanged(target.ToMember(), target.State));
            }

            if (!probe.AskedRelays)
            {
                TimeSpan roundTrip = now - probe.Sent;
                e.ProbeTimes.Add(roundTrip);
                coordinate.Observe(probe.Target.Position ??= new(), ack.Payload, roundTrip);
            }

            Finish(now);
            return target;
        }

        if (!relays.Answered(ack.SequenceNumber, e))
        {
            counters.Stale++;
        }

        return null;
    }

    /// <summary>Asks those about whose life a peer and this node disagree: whoever lives answers with an objection.</summary>
    public void AskDoubtful(Instant now, GossipEffects e)
    {
        List<MemberEntry> doubtful = [.. members.Doubtful.Where(m => m.AskableAt <= now)];
        members.Doubtful.Clear();
        for (int i = 0; i < MaxAsked && doubtful.Count > 0; i++)
        {
            int chosen = prng.Next(doubtful.Count);
            MemberEntry member = doubtful[chosen];
            doubtful[chosen] = doubtful[^1];
            doubtful.RemoveAt(doubtful.Count - 1);
            member.AskableAt = now + options.ProbeInterval;
            SendWithRumours(e, member.Address, Question(++sequence, member, accuses: true));
        }
    }

    public void HearNack(uint answered)
    {
        if (probe is not null && probe.Sequence == answered && probe.NacksMissing > 0)
        {
            probe.NacksMissing--;
        }
        else
        {
            counters.Stale++;
        }
    }

    /// <summary>The stream ping was answered: false where it belongs to no running probe.</summary>
    public bool StreamAnswered(long exchangeId, uint answered)
    {
        if (probe is null || probe.ExchangeId != exchangeId)
        {
            return false;
        }

        probe.AnsweredByStream = probe.Sequence == answered;
        return true;
    }

    /// <summary>Sends the packet with as many rumours as fit behind its own messages.</summary>
    private void SendWithRumours(GossipEffects e, IPEndPoint to, PacketWriter packet)
    {
        if (members.Rumours.Count > 0)
        {
            List<GossipMessage> rumours = [];
            int room = outbox.Budget - packet.Cost;
            members.Rumours.Take(rumours, ref room, members.TransmitLimit, members.AccusationLimit);
            rumours.ForEach(packet.Add);
        }

        outbox.Send(e, to, packet);
    }

    /// <summary>A packet that begins with a ping, and the accusation of whom it asks.</summary>
    private PacketWriter Question(uint question, MemberEntry target, bool accuses)
    {
        PacketWriter packet = PacketCodec.Begin();
        packet.AddPing(question, target.Name, ReturnTo(target), members.Self.Name);
        if (accuses)
        {
            packet.Add(Accuse(target));
        }

        return packet;
    }

    /// <summary>Ours answer to where the packet came from, so that need not be said.</summary>
    private IPEndPoint? ReturnTo(MemberEntry target) => target.IsOurs && options.Extends ? null : members.Self.Address;

    /// <summary>What is said of the member here, for its own ears.</summary>
    public GossipMessage Accuse(MemberEntry accused) => accused.IsLive
        ? members.Suspicion(accused, members.Self.Name)
        : members.Death(accused, members.Self.Name);

    private void Begin(Instant now, GossipEffects e)
    {
        nextStart = now + options.ProbeInterval;
        MemberEntry? target = Next();
        if (target is null)
        {
            return;
        }

        counters.ProbesSent++;
        double? estimate = target.Position is { } at ? coordinate.Here.SecondsTo(at.Place) : null;
        probe = new(++sequence, target, now, now + roundTrips.Timeout(estimate), now + awareness.Scale(options.ProbeInterval));
        // Lifeguard's buddy system: the suspect is the first who should know.
        bool accuses = target.State == MemberState.Suspect && options.TellsSuspects;
        SendWithRumours(e, target.Address, Question(probe.Sequence, target, accuses));
    }

    private MemberEntry? Next()
    {
        while (members.ToConfirm.TryDequeue(out MemberEntry? suspect))
        {
            if (suspect.State == MemberState.Suspect)
            {
                return suspect;
            }
        }

        if (again is { IsDegraded: true, IsLive: true } doubted)
        {
            again = null;
            return doubted;
        }

        turn++;
        return options.WatchEvery > 0 && turn % options.WatchEvery == 0 ? members.Successor : members.Ring.Next();
    }

    private void AskRelays(Probe asking, Instant now, GossipEffects e)
    {
        asking.AskedRelays = true;
        MemberEntry target = asking.Target;
        MemberEntry self = members.Self;
        List<MemberEntry> drawn = members.Ring.Pick(
            options.IndirectChecks * (options.ChoosesRelays ? Detours.Choice : 1),
            m => m.State == MemberState.Alive && !ReferenceEquals(m, target));
        List<MemberEntry> chosen = Detours.Choose(drawn, target, coordinate.Here, options.IndirectChecks);
        foreach (MemberEntry relay in chosen)
        {
            asking.NacksMissing += relay.SendsNacks ? 1 : 0;
            outbox.Send(e, relay.Address, new GossipMessage.IndirectPing(
                asking.Sequence, target.Address, target.Name, relay.SendsNacks, self.Address, self.Name));
        }

        asking.NackRelays = asking.NacksMissing;
        if (target.AnswersStreamPings && asking.End > now)
        {
            asking.ExchangeId = outbox.Dial(
                e, target.Address, new GossipMessage.Ping(asking.Sequence, target.Name, ReturnTo(target), self.Name),
                asking.End - now, expectsReply: true);
        }
    }

    private void Fail(Probe failed, Instant now, GossipEffects e)
    {
        Finish(now);
        MemberEntry target = failed.Target;
        if (failed.AnsweredByStream)
        {
            counters.TcpFallbacks++;
            if (!target.IsDegraded && target.IsLive)
            {
                target.IsDegraded = true;
                again = target;
                e.Events.Add(new GossipEvent.MemberChanged(target.ToMember(), target.State));
            }

            e.Events.Add(new GossipEvent.UdpUnreachable(target.Name, target.Address));
            return;
        }

        counters.ProbesFailed++;
        awareness.Add(failed.NackRelays > 0 ? failed.NacksMissing : 1);
        // Whoever described itself anew since the probe began, perhaps to object, has shown that it lives.
        if (target.IsLive && (target.BootId, target.Described) == (failed.BootId, failed.Described))
        {
            members.Apply(members.Suspicion(target, members.Self.Name), now, e);
        }
    }

    private void Finish(Instant now)
    {
        probe = null;
        nextStart = nextStart < now ? now : nextStart;
    }

    private sealed class Probe(uint sequence, MemberEntry target, Instant sent, Instant relaysAt, Instant end)
    {
        public uint Sequence { get; } = sequence;

        public MemberEntry Target { get; } = target;

        public ulong BootId { get; } = target.BootId;

        public uint Described { get; } = target.Described;

        public Instant Sent { get; } = sent;

        public Instant RelaysAt { get; } = relaysAt;

        public Instant End { get; } = end;

        public bool AskedRelays { get; set; }

        public int NackRelays { get; set; }

        public int NacksMissing { get; set; }

        public long ExchangeId { get; set; } = -1;

        public bool AnsweredByStream { get; set; }
    }
}

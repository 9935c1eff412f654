using System.Net;
using System.Text;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>Which queries were seen before, and what this node answers to those that are for it.</summary>
internal sealed class IncomingQueries(
    MemberList members, Intents intents, KeyQueries keys, Outbox outbox, GossipCounters counters)
{
    private const string Conflict = "_serf_conflict";

    private readonly (ulong Time, SortedSet<uint> Ids)[] ticks = new (ulong, SortedSet<uint>)[SerfLimits.Window];

    public LamportClock Clock { get; } = new();

    /// <summary>False: it is not new, or too old to tell.</summary>
    public bool Note(SerfMessage.Query query)
    {
        Clock.Witness(query.Time);
        if (query.Time + SerfLimits.Window < Clock.Time)
        {
            return false;
        }

        ref (ulong Time, SortedSet<uint> Ids) tick = ref ticks[query.Time % SerfLimits.Window];
        if (tick.Ids is null || tick.Time != query.Time)
        {
            tick = (query.Time, []);
        }

        return tick.Ids.Count < SerfLimits.MaxEventsPerTick && tick.Ids.Add(query.Id);
    }

    /// <summary>It was noted.</summary>
    public bool Knows(ulong time, uint id) =>
        ticks[time % SerfLimits.Window] is { Ids: { } ids } tick && tick.Time == time && ids.Contains(id);

    public bool IsForThis(SerfMessage.Query query)
    {
        var tags = Tags.Decode(members.Self.Meta);
        return query.Filters.All(filter => QueryFilter.Passes(filter, members.Self.Name, tags));
    }

    /// <summary>The answers, in order: that it came, and what is asked for.</summary>
    public IEnumerable<SerfMessage.Response> Answers(SerfMessage.Query query, GossipEffects e)
    {
        string self = members.Self.Name;
        if (query.Flags.HasFlag(QueryFlags.Ack))
        {
            yield return new(query.Time, query.Id, self, QueryFlags.Ack, []);
        }

        byte[]? payload = query.Name == Conflict ? WhoHas(query.Payload) : keys.Answer(query.Name, query.Payload, e);
        if (payload is not null)
        {
            yield return new(query.Time, query.Id, self, QueryFlags.None, payload);
        }
    }

    /// <summary>Sends an answer to who asked, and through others too where that was wished.</summary>
    public void Reply(SerfMessage.Query query, SerfMessage.Response answer, GossipEffects e)
    {
        if (members.Find(query.SourceNode) is not { } asker || !asker.Address.Equals(query.Source))
        {
            // An answer goes to a member alone: the packet that asks can be anybody's with the key, its victim not.
            counters.Refused++;
            return;
        }

        byte[] bytes = SerfWriter.Encode(answer);
        outbox.Send(e, query.Source, new GossipMessage.User(bytes));
        int relays = Math.Min((int)query.RelayFactor, SerfLimits.MaxRelays);
        if (relays > 0 && members.LiveCount > relays + 1)
        {
            byte[] relayed = SerfWriter.Encode(new SerfMessage.Relay(query.Source, query.SourceNode, bytes));
            foreach (MemberEntry relay in members.Ring.Pick(
                relays, m => m.State == MemberState.Alive && !ReferenceEquals(m, asker)))
            {
                outbox.Send(e, relay.Address, new GossipMessage.User(relayed));
            }
        }
    }

    /// <summary>Hands on what another node answered, to members alone.</summary>
    public void HandOn(SerfMessage.Relay relay, GossipEffects e)
    {
        IPEndPoint to = relay.To;
        MemberEntry? named = relay.Name.Length > 0 ? members.Find(relay.Name) : null;
        bool isMember = named is not null ? named.Address.Equals(to) : members.Others.Any(m => m.Address.Equals(to));
        if (isMember)
        {
            outbox.Send(e, to, new GossipMessage.User(relay.Inner));
        }
        else
        {
            counters.Refused++;
        }
    }

    /// <summary>Who asks whether a name is somebody else's too, gets what this node knows; the accused itself is silent.</summary>
    private byte[]? WhoHas(byte[] name)
    {
        string text = Encoding.UTF8.GetString(name);
        MemberEntry? member = members.Find(text);
        return members.IsSelf(text) ? null
            : SerfWriter.ConflictResponse(member, member is null ? SerfStatus.None : intents.StatusOf(member));
    }
}

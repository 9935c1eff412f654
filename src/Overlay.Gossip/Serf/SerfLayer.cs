using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip.Serf;

/// <summary>
/// serf's layer above memberlist, so that unmodified serf agents are full members of the gossip: intents, user events,
/// queries, and their state in push/pulls. It says nothing of itself until a foreign member is known, so clusters of ours
/// alone pay nothing for it.
/// </summary>
internal sealed class SerfLayer
{
    private readonly SwimOptions options;
    private readonly MemberList members;
    private readonly Outbox outbox;
    private readonly Prng prng;
    private readonly GossipCounters counters;
    private readonly IncomingQueries queries;
    private readonly OwnQueries own = new();
    private readonly UserEvents events = new();
    private readonly SortedSet<string> foreigners = new(StringComparer.Ordinal);

    public SerfLayer(SwimOptions options, MemberList members, Outbox outbox, Prng prng, GossipCounters counters)
    {
        this.options = options;
        this.members = members;
        this.outbox = outbox;
        this.prng = prng;
        this.counters = counters;
        Intents = new(options, members);
        queries = new(members, Intents, new(outbox), outbox, counters);
    }

    public Intents Intents { get; }

    public SerfQueue Queue { get; } = new();

    public Instant NextDeadline => own.NextDeadline;

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<SerfMessage.Event> Events => events.All;

    /// <summary>serf's own: long enough for the query and its answers to spread.</summary>
    public TimeSpan DefaultQueryTimeout =>
        options.GossipInterval * (16 * Math.Ceiling(Math.Log10(members.LiveCount + 1)));

    /// <summary>There is nothing of serf's to tell.</summary>
    public bool IsSilent => foreigners.Count == 0 && Intents.IsEmpty && events.Clock.Time == 1 && queries.Clock.Time == 1;

    /// <summary>Members came, went or turned out to be ours.</summary>
    public void MembersChanged(IEnumerable<string> names)
    {
        int before = foreigners.Count;
        foreach (string name in names)
        {
            if (members.Find(name) is { IsOurs: false })
            {
                foreigners.Add(name);
            }
            else
            {
                foreigners.Remove(name);
                if (members.Find(name) is null)
                {
                    Intents.Forget(name);
                }
            }
        }

        if (before == 0 && foreigners.Count > 0 && !members.Own.HasLeft)
        {
            SayJoined();
        }
    }

    public void Receive(ReadOnlySpan<byte> payload, Instant now, GossipEffects e)
    {
        if (!SerfReader.TryReadFields(payload, out SerfFields fields))
        {
            counters.Rejected++;
            return;
        }

        if (IsKnown(fields))
        {
            counters.Stale++;
            return;
        }

        SerfMessage message = SerfReader.Message(fields);
        bool isNews = message switch
        {
            SerfMessage.Join join => Intents.Note(join.Node, join.Time, leaves: false),
            SerfMessage.Leave leave => Hear(leave, now, e),
            SerfMessage.Event happened => Hear(happened, e),
            SerfMessage.Query query => Hear(query, e),
            SerfMessage.Response response => Hear(response, e),
            SerfMessage.Relay relay => Hear(relay, e),
            _ => false,
        };
        if (isNews && message is not (SerfMessage.Response or SerfMessage.Relay))
        {
            Spread(message, payload.ToArray());
        }
        else if (!isNews)
        {
            counters.Stale++;
        }
    }

    public void Advance(Instant now, GossipEffects e) => own.Advance(now, e);

    /// <summary>What a push/pull carries: serf's state, and behind it our own, which no foreigner is sent.</summary>
    /// <param name="tables">What the tables say; nothing to a foreigner.</param>
    public byte[] Wrap(byte[] tables, bool isForeign)
    {
        if (IsSilent && !isForeign)
        {
            return tables;
        }

        byte[] state = SerfWriter.Encode(new SerfState(
            Intents.Clock.Time, events.Clock.Time, queries.Clock.Time, Intents.Times, Intents.Left, events.All));
        return [.. state, .. tables];
    }

    /// <summary>Takes serf's state of a peer and gives what is left: the tables'.</summary>
    /// <param name="joins">This node enters by this exchange: what happened before is not told to it.</param>
    public byte[] Merge(byte[] userState, bool joins, Instant now, GossipEffects e)
    {
        if (userState is not [(byte)SerfType.PushPull, ..])
        {
            return userState;
        }

        if (!SerfReader.TryReadState(userState, out SerfState? state, out ReadOnlySpan<byte> rest))
        {
            counters.Rejected++;
            return [];
        }

        Witness(Intents.Clock, state.Time);
        Witness(events.Clock, state.EventTime);
        Witness(queries.Clock, state.QueryTime);
        SortedSet<string> left = new(state.Left, StringComparer.Ordinal);
        foreach ((string name, ulong time) in state.StatusTimes)
        {
            if (left.Contains(name))
            {
                Hear(new SerfMessage.Leave(time, name, false), now, e);
            }
            else
            {
                Intents.Note(name, time, leaves: false);
            }
        }

        if (joins && state.EventTime > 0)
        {
            events.BeginAfter(state.EventTime - 1);
        }

        foreach (SerfMessage.Event happened in state.Events)
        {
            Hear(happened, e);
        }

        return rest.ToArray();
    }

    /// <summary>The words that make a foreigner call the farewell leaving, not failing; null where none listens.</summary>
    public GossipMessage.User? Farewell()
    {
        if (foreigners.Count == 0)
        {
            return null;
        }

        SerfMessage.Leave leave = new(Intents.Clock.Tick(), members.Self.Name, false);
        Intents.Note(leave.Node, leave.Time, leaves: true);
        byte[] bytes = SerfWriter.Encode(leave);
        Queue.Add(leave, bytes);
        return new(bytes);
    }

    /// <summary>Says that a foreigner that fell silent has left.</summary>
    public void ForceLeave(string name, bool prune, Instant now, GossipEffects e)
    {
        SerfMessage.Leave leave = new(Intents.Clock.Tick(), name, prune);
        byte[] bytes = SerfWriter.Encode(leave);
        Hear(leave, now, e);
        Queue.Add(leave, bytes);
    }

    /// <summary>False: name and payload are too long.</summary>
    public bool Tell(string name, byte[] payload, bool coalesce, GossipEffects e)
    {
        SerfMessage.Event happened = new(events.Clock.Time, name, payload, coalesce);
        byte[] bytes = SerfWriter.Encode(happened);
        if (name.Length == 0 || bytes.Length > SerfLimits.OwnEventBytes + 32)
        {
            return false;
        }

        events.Clock.Tick();
        Hear(happened, e);
        Queue.Add(happened, bytes);
        return true;
    }

    /// <summary>Asks everybody; answers come as events until the time is over. Null: it is too long, or too many are open.</summary>
    public uint? Ask(
        string name, byte[] payload, IReadOnlyList<string> nodes, TimeSpan timeout, Instant now, GossipEffects e)
    {
        SerfMessage.Query query = new(
            queries.Clock.Time, (uint)prng.NextUInt64(), members.Self.Address, members.Self.Name,
            nodes.Count == 0 ? [] : [QueryFilter.Nodes(nodes)], QueryFlags.Ack, 0, timeout, name, payload);
        byte[] bytes = SerfWriter.Encode(query);
        if (name.Length == 0 || bytes.Length > SerfLimits.OwnQueryBytes || own.Count >= OwnQueries.MaxOpen)
        {
            return null;
        }

        queries.Clock.Tick();
        own.Add(query, now);
        Hear(query, e);
        Queue.Add(query, bytes);
        return query.Id;
    }

    /// <summary>
    /// True where the message changes nothing, told without making an object of it: nearly all of them, since each is told
    /// many times. Where it cannot be told like that, false.
    /// </summary>
    private bool IsKnown(in SerfFields fields) => fields.Type switch
    {
        SerfType.Join or SerfType.Leave => members.Find(fields.Node) is { } member
            && (fields.Type == SerfType.Join || !members.IsSelf(member.Name)) && Intents.Knows(member.Name, fields.Time),
        SerfType.UserEvent => events.Knows(fields.Time, fields.Name, fields.Payload),
        SerfType.Query => queries.Knows(fields.Time, fields.Id),
        SerfType.QueryResponse => own.Knows(
            fields.Time, fields.Id, (fields.Flags & (uint)QueryFlags.Ack) != 0, members.Find(fields.From)),
        _ => false,
    };

    private static void Witness(LamportClock clock, ulong time)
    {
        if (time > 0)
        {
            clock.Witness(time - 1);
        }
    }

    private void SayJoined()
    {
        SerfMessage.Join join = new(Intents.Clock.Tick(), members.Self.Name);
        Intents.Note(join.Node, join.Time, leaves: false);
        Queue.Add(join, SerfWriter.Encode(join));
    }

    private bool Hear(SerfMessage.Leave leave, Instant now, GossipEffects e)
    {
        if (members.IsSelf(leave.Node) && !members.Own.HasLeft)
        {
            Intents.Clock.Witness(leave.Time);
            SayJoined();
            return false;
        }

        if (!Intents.Note(leave.Node, leave.Time, leaves: true))
        {
            return false;
        }

        // What becomes of ours is their managers' to say.
        if (members.Find(leave.Node) is { IsOurs: false } member)
        {
            if (member.State == MemberState.Dead)
            {
                members.Apply(members.Death(member, member.Name), now, e);
            }

            if (leave.Prune && !member.IsLive)
            {
                members.Remove(member.Name, e);
            }
        }

        return true;
    }

    private bool Hear(SerfMessage.Event happened, GossipEffects e)
    {
        if (!events.Note(happened))
        {
            return false;
        }

        e.Events.Add(new GossipEvent.UserEvent(happened.Time, happened.Name, happened.Payload));
        return true;
    }

    private bool Hear(SerfMessage.Query query, GossipEffects e)
    {
        if (!queries.Note(query))
        {
            return false;
        }

        if (queries.IsForThis(query))
        {
            foreach (SerfMessage.Response answer in queries.Answers(query, e))
            {
                if (members.IsSelf(query.SourceNode))
                {
                    Hear(answer, e);
                }
                else
                {
                    queries.Reply(query, answer, e);
                }
            }
        }

        return !query.Flags.HasFlag(QueryFlags.NoBroadcast);
    }

    private bool Hear(SerfMessage.Response response, GossipEffects e) => own.Take(response, options.MaxMembers, e);

    private bool Hear(SerfMessage.Relay relay, GossipEffects e)
    {
        queries.HandOn(relay, e);
        return true;
    }

    private void Spread(SerfMessage message, byte[] bytes)
    {
        bool fits = bytes.Length + 1 + Outbox.PartOverhead <= outbox.Budget;
        if (!fits || !Queue.Add(message, bytes))
        {
            counters.Refused++;
        }
    }
}

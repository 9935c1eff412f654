using System.Net;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Tables;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>The part of the façade that serf agents know: events, queries, and who leaves.</summary>
public sealed partial class Swim
{
    /// <summary>How long serf waits for the answers to a query in a cluster of this size.</summary>
    public TimeSpan DefaultQueryTimeout => serf.DefaultQueryTimeout;

    /// <summary>The keys in use; the first seals.</summary>
    public Keyring Keyring => outbox.Keyring;

    /// <summary>The user events of the last 512 ticks of their clock, oldest first.</summary>
    public IReadOnlyList<GossipEvent.UserEvent> UserEvents =>
        [.. serf.Events.Select(e => new GossipEvent.UserEvent(e.Time, e.Name, e.Payload))];

    /// <summary>What serf agents call the member's state.</summary>
    public SerfStatus StatusOf(string name) =>
        members.Find(name) is { } member ? serf.Intents.StatusOf(member) : SerfStatus.None;

    /// <summary>Tells every member of a user event. False: name and payload together are longer than 512 bytes.</summary>
    public bool Tell(string name, ReadOnlyMemory<byte> payload, Instant now, GossipEffects e)
    {
        bool told = serf.Tell(name, payload.ToArray(), coalesce: false, e);
        FollowUp(now, e);
        return told;
    }

    /// <summary>
    /// Asks the members; answers come as <see cref="GossipEvent.QueryAnswered"/> until <see cref="GossipEvent.QueryEnded"/>.
    /// null: it is longer than 1024 bytes, or too many queries are open.
    /// </summary>
    /// <param name="nodes">Who is asked; empty: all.</param>
    public uint? Ask(
        string name,
        ReadOnlyMemory<byte> payload,
        IReadOnlyList<string> nodes,
        TimeSpan timeout,
        Instant now,
        GossipEffects e)
    {
        uint? query = serf.Ask(name, payload.ToArray(), nodes, timeout, now, e);
        FollowUp(now, e);
        return query;
    }

    /// <summary>
    /// Asks members about a key by serf's queries; the answers are read by <see cref="KeyAnswer"/>. null: as for
    /// <see cref="Ask"/>.
    /// </summary>
    public uint? AskKey(
        KeyQuestion question, ReadOnlySpan<byte> key, IReadOnlyList<string> nodes, TimeSpan timeout, Instant now, GossipEffects e) =>
        Ask(KeyQueries.NameOf(question), question == KeyQuestion.List ? [] : SerfWriter.KeyRequest(key), nodes, timeout, now, e);

    /// <summary>Says of a foreign member that fell silent that it has left. False: it is none, or still answers.</summary>
    /// <param name="prune">It is forgotten at once.</param>
    public bool ForceLeave(string name, bool prune, Instant now, GossipEffects e)
    {
        if (members.Find(name) is not { IsOurs: false, IsLive: false })
        {
            return false;
        }

        serf.ForceLeave(name, prune, now, e);
        FollowUp(now, e);
        return true;
    }

    private void HearUser(ReadOnlySpan<byte> payload, IPEndPoint from, Instant now, GossipEffects e)
    {
        if (TableCodec.IsTablePayload(payload))
        {
            tables.Receive(payload, from, now, e);
        }
        else
        {
            serf.Receive(payload, now, e);
        }
    }
}

using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Serf;
using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>
/// What an operator does with gossip itself, and with its members that are no nodes of the cluster: serf agents that hold
/// the key.
/// </summary>
public sealed partial class Node
{
    private const string ManagerTag = "manager";
    private const int MostManagersByGossip = 8;

    /// <summary>Whoever answers at these addresses becomes a member; NodeEvent.GossipTold says whether they did.</summary>
    public void JoinGossip(IReadOnlyList<IPEndPoint> addresses, Instant now, NodeEffects effects)
    {
        swim.Join(addresses, now, effects.Gossip);
        DigestGossip(now, effects);
    }

    /// <summary>False: it is too long.</summary>
    public bool Tell(string name, ReadOnlyMemory<byte> payload, Instant now, NodeEffects effects)
    {
        bool told = swim.Tell(name, payload, now, effects.Gossip);
        DigestGossip(now, effects);
        return told;
    }

    /// <summary>The query's number; null: it is too long, or too many are open. Answers come as NodeEvent.GossipTold.</summary>
    public uint? Ask(
        string name, ReadOnlyMemory<byte> payload, IReadOnlyList<string> nodes, TimeSpan timeout, Instant now, NodeEffects effects)
    {
        uint? query = swim.Ask(name, payload, nodes, timeout, now, effects.Gossip);
        DigestGossip(now, effects);
        return query;
    }

    /// <summary>As <see cref="Ask"/>, by serf's key queries.</summary>
    public uint? AskKey(
        KeyQuestion question, ReadOnlySpan<byte> key, IReadOnlyList<string> nodes, TimeSpan timeout, Instant now, NodeEffects effects)
    {
        uint? query = swim.AskKey(question, key, nodes, timeout, now, effects.Gossip);
        DigestGossip(now, effects);
        return query;
    }

    /// <summary>
    /// Where members that live say managers are; anybody who has the gossip key can say so, and only a certificate proves it.
    /// </summary>
    public IEnumerable<string> ManagersByGossip => swim.Members
        .Where(static m => !m.IsForeign && m.Presence == Presence.Alive)
        .Select(static m => Tags.Decode(m.Meta.Span).GetValueOrDefault(ManagerTag) ?? "")
        .Where(static address => IPEndPoint.TryParse(address, out IPEndPoint? at) && at.Port > 0)
        .Take(MostManagersByGossip);

    /// <summary>False: it is no foreign member, or it still answers.</summary>
    public bool ForceLeave(string name, bool prune, Instant now, NodeEffects effects)
    {
        bool done = swim.ForceLeave(name, prune, now, effects.Gossip);
        DigestGossip(now, effects);
        return done;
    }

    /// <summary>What a serf agent shows of this node; gossip fills in the boot id.</summary>
    private static byte[] TagsOf(NodeSettings settings)
    {
        SortedDictionary<string, string> tags = new(StringComparer.Ordinal) { [Tags.BootKey] = "" };
        if (settings.HostName.Length > 0)
        {
            tags["host"] = settings.HostName;
        }

        if (settings.ManagerAddress.Length > 0)
        {
            tags[ManagerTag] = settings.ManagerAddress;
        }

        return Tags.Encode(tags);
    }
}

using System.Net;
using Google.Protobuf;
using Overlay.Gossip;
using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>
/// Others' endpoints over a restart. A kernel goes on forwarding to hosts whose agents are down, and a starting agent
/// must not end that: it begins with what it knew, and lets go of what turns out to be over.
/// </summary>
public sealed partial class Node
{
    /// <summary>Changes of others' endpoints are on disk after this: a crash before it costs at most their newest.</summary>
    private static readonly TimeSpan MemorizeAfter = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(1);

    /// <summary>An owner that is alive so long without a word of an endpoint does not have it any more.</summary>
    private static readonly TimeSpan SilenceOfTheLiving = TimeSpan.FromSeconds(10);

    /// <summary>Those of <see cref="remotes"/> that gossip did not tell of in this life.</summary>
    private readonly Memories remembered = new();
    private Instant memorizeAt = Instant.Never;
    private Instant checkMemoryAt = Instant.Never;

    private Instant NextMemoryDeadline => Instant.Min(memorizeAt, checkMemoryAt);

    private void Remember(V1.RememberedEndpoint saved)
    {
        if (NetworkId.TryParse(saved.NetworkId, out NetworkId network)
            && intent.Network(saved.NetworkId) is not null
            && (FollowsEveryNetwork || endpoints.Values.Any(e => e.Network == network))
            && intent.Node(saved.Owner) is not null
            && RemoteEndpointRecord.TryDecode(
                saved.Owner, saved.Id, (saved.Record ?? new()).ToByteArray(), out RemoteEndpointRecord? record, out _)
            && remotes.TrySet(network, record!))
        {
            remembered.Add(network, record!);
        }
    }

    private void RecallOwners(Instant now)
    {
        foreach (string owner in remembered.Owners)
        {
            if (IPEndPoint.TryParse(intent.Node(owner)!.GossipAddress, out IPEndPoint? address))
            {
                swim.Recall(owner, address, now);
            }
        }

        checkMemoryAt = remembered.Any ? now + CheckInterval : Instant.Never;
    }

    /// <summary>Gossip tells of this endpoint: it is more than a memory, and ends memories that contradict it.</summary>
    private void Confirmed(NetworkId network, RemoteEndpointRecord record, Instant now, NodeEffects effects)
    {
        remembered.Remove(record.Id);
        foreach (EndpointId id in remembered.Contradicted(network, record).ToArray())
        {
            LetGo(id, now, effects);
        }
    }

    private void MemorizeSoon(Instant now) => memorizeAt = Instant.Min(memorizeAt, now + MemorizeAfter);

    private void TendMemory(Instant now, NodeEffects effects)
    {
        if (now >= checkMemoryAt)
        {
            foreach (EndpointId id in remembered.Groups.Where(g => IsOver(g.Key.Network, g.Key.Owner.ToString(), now))
                .SelectMany(static g => g).ToArray())
            {
                LetGo(id, now, effects);
            }

            checkMemoryAt = remembered.Any ? now + CheckInterval : Instant.Never;
        }

        if (now >= memorizeAt)
        {
            Persist(effects);
        }
    }

    /// <summary>Whether what was not told again by now is not true any more.</summary>
    private bool IsOver(NetworkId network, string owner, Instant now)
    {
        if (intent.Node(owner) is null || swim.Find(owner) is not { } member
            || member.Presence is Presence.Dead or Presence.Left)
        {
            return true;
        }

        // Complete is what the owner, or others of it, have told: the rest was deleted meanwhile.
        return swim.Summarize(network.ToString())?.Owners.FirstOrDefault(o => o.Owner == owner)
                is { Visible: true, Settled: true, Version: > 0 } told && told.Version >= told.Head
            || (member.IsLive && now - member.Since >= SilenceOfTheLiving);
    }

    private void LetGo(EndpointId id, Instant now, NodeEffects effects)
    {
        if (!remembered.Has(id))
        {
            return;
        }

        (NetworkId network, NodeId owner) = remembered.Of(id);
        remembered.Remove(id);
        if (remotes.Remove(network, owner.ToString(), id) is { } record)
        {
            string name = intent.Network(network.ToString())?.Name ?? network.ToString();
            if (!record.IsMeshShare)
            {
                effects.Events.Add(new NodeEvent.EndpointChanged(record.Id, record.Name, name, "down", $"on {record.Owner}"));
            }

            DataplaneChanges(effects);
            effects.ZonesChanged = true;
            MemorizeSoon(now);
        }
    }
}

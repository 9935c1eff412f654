using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>What this node asks of gossip, and what comes of what gossip found.</summary>
public sealed partial class Node
{
    /// <summary>A manager is asked about all networks, and must know whether one is in use.</summary>
    public bool FollowsEveryNetwork => intent.Node(Id.ToString()) is { Role: V1.NodeRole.Manager };

    /// <summary>Attaches presence to the networks that have an endpoint here, or to all where this node follows all.</summary>
    private void FollowNetworks(Instant now, NodeEffects effects)
    {
        SortedSet<NetworkId> wanted = [.. endpoints.Values.Select(static e => e.Network)];
        if (FollowsEveryNetwork)
        {
            wanted.UnionWith(intent.Networks.Select(static n => NetworkId.Parse(n.Id)));
        }

        foreach (NetworkId network in wanted.Where(n => followed.Add(n)))
        {
            swim.Subscribe(network.ToString(), now, effects.Gossip);
        }

        NetworkId[] left = [.. followed.Where(n => !wanted.Contains(n))];
        foreach (NetworkId network in left)
        {
            followed.Remove(network);
            remotes.Forget(network);
            remembered.Forget(network);
            swim.Unsubscribe(network.ToString(), now, effects.Gossip);
        }
    }

    private void AskSeeds(Instant now, NodeEffects effects)
    {
        if (seedsAsked)
        {
            return;
        }

        IPEndPoint[] seeds =
        [
            .. intent.Nodes.Where(n => n.Id != Id.ToString())
                .Select(static n => IPEndPoint.TryParse(n.GossipAddress, out IPEndPoint? address) ? address : null)
                .OfType<IPEndPoint>(),
        ];
        if (seeds.Length > 0)
        {
            seedsAsked = true;
            swim.Seek(seeds, now, effects.Gossip);
        }
    }

    /// <summary>Turns what gossip found into the node's own consequences, until nothing new comes of it.</summary>
    private void DigestGossip(Instant now, NodeEffects effects)
    {
        for (int i = 0; i < effects.Gossip.Events.Count; i++)
        {
            switch (effects.Gossip.Events[i])
            {
                case GossipEvent.MemberChanged changed:
                    MemberChanged(changed.Member, now, effects);
                    break;
                case GossipEvent.EntryChanged changed:
                    EntryChanged(changed, now, effects);
                    break;
                case GossipEvent.Judged judged:
                    effects.Events.Add(new NodeEvent.Judged(
                        judged.Name, intent.Node(judged.Name)?.Hostname ?? judged.Name, judged.Witnesses));
                    break;
                case GossipEvent.ViewChanged changed:
                    effects.Events.Add(new NodeEvent.ViewChanged(changed.Epoch, changed.Lost.Count, changed.Gained.Count));
                    break;
                case GossipEvent.MemberForgotten forgotten:
                    verdicts.Remove(forgotten.Name);
                    break;
                case GossipEvent.UserEvent or GossipEvent.QueryAnswered or GossipEvent.QueryEnded or GossipEvent.Joined
                    or GossipEvent.JoinFailed or GossipEvent.KeyringChanged:
                    effects.Events.Add(new NodeEvent.GossipTold(effects.Gossip.Events[i]));
                    break;
            }
        }

        effects.Gossip.Events.Clear();
        TendIngress(now, effects);
    }

    private void MemberChanged(Member member, Instant now, NodeEffects effects)
    {
        string? previous = verdicts.GetValueOrDefault(member.Name);
        string status = StatusText(member.Presence);
        verdicts[member.Name] = status;
        bool unlisted = intent.Cluster is not null && intent.Node(member.Name) is null && member.Name != Id.ToString();
        if (unlisted && member.IsForeign)
        {
            if (status != previous)
            {
                effects.Events.Add(new NodeEvent.ForeignChanged(member.Name, status, previous));
            }

            return;
        }

        effects.SessionLost |= member.State == MemberState.Dead && member.Name == managerInSession;
        if (unlisted && member.State == MemberState.Left)
        {
            // It left for good and no manager lists it: nothing is to be remembered of it.
            verdicts.Remove(member.Name);
            swim.Forget(member.Name, now, effects.Gossip);
        }
        else if (unlisted && member.Presence == Presence.AgentDown)
        {
            // Removed while its agent was down, and told of by a node that did not hear of that yet.
            swim.EndHold(member.Name, now, effects.Gossip);
        }

        string hostname = intent.Node(member.Name)?.Hostname ?? member.Name;
        if (status != previous)
        {
            effects.Events.Add(new NodeEvent.MemberChanged(member.Name, hostname, status, previous));
        }
    }

    private void EntryChanged(GossipEvent.EntryChanged changed, Instant now, NodeEffects effects)
    {
        if (changed.Owner == Id.ToString() || !NetworkId.TryParse(changed.Network, out NetworkId network))
        {
            return;
        }

        string action;
        RemoteEndpointRecord? record;
        if (changed.Value is { } value)
        {
            if (!RemoteEndpointRecord.TryDecode(changed.Owner, changed.Key, value, out record, out string reason))
            {
                effects.Events.Add(new NodeEvent.RecordRejected(changed.Owner, reason));
                return;
            }

            RemoteEndpointRecord? before = remotes.Find(network, record!.Id);
            if (!remotes.TrySet(network, record))
            {
                effects.Events.Add(new NodeEvent.RecordRejected(changed.Owner, "the endpoint is another node's"));
                return;
            }

            Confirmed(network, record, now, effects);
            action = before is not null && before.Health != record.Health ? HealthText(record.Health) : "up";
            action = action.Length == 0 ? "up" : action;
        }
        else
        {
            record = EndpointId.TryParse(changed.Key, out EndpointId id) ? remotes.Remove(network, changed.Owner, id) : null;
            action = "down";
        }

        if (record is not null)
        {
            string name = intent.Network(changed.Network)?.Name ?? changed.Network;
            if (!record.IsMeshShare)
            {
                effects.Events.Add(new NodeEvent.EndpointChanged(record.Id, record.Name, name, action, $"on {record.Owner}")
                {
                    Learnt = action == "up" ? record : null,
                    NetworkId = network,
                });
            }

            DataplaneChanges(effects);
            effects.ZonesChanged = true;
            MemorizeSoon(now);
        }
    }

    /// <summary>The word for a verdict, everywhere it is shown.</summary>
    public static string StatusText(Presence presence) => presence switch
    {
        Presence.Alive => "alive",
        Presence.Suspect => "suspect",
        Presence.AgentDown => "agent-down",
        Presence.Degraded => "degraded",
        Presence.HeldDown => "held-down",
        Presence.Dead => "dead",
        _ => "left",
    };
}

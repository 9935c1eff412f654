using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// One verdict from two sources: whom this node has a session with is watched closely by gossip, which alone judges.
/// </summary>
public sealed partial class Node
{
    /// <summary>Numbers of the open sessions of each agent: a new one may begin before the end of the last is noticed.</summary>
    private readonly SortedDictionary<string, SortedSet<long>> agentSessions = new(StringComparer.Ordinal);

    private string? managerInSession;

    /// <summary>An agent opened a session with the manager on this node.</summary>
    public void AgentSessionOpened(string agent, long session, Instant now, NodeEffects effects)
    {
        if (agent == Id.ToString())
        {
            return;
        }

        if (!agentSessions.TryGetValue(agent, out SortedSet<long>? numbers))
        {
            agentSessions[agent] = numbers = [];
        }

        numbers.Add(session);
        swim.WatchSession(agent, asks: false, now, effects.Gossip);
    }

    public void AgentSessionClosed(string agent, long session)
    {
        if (agentSessions.TryGetValue(agent, out SortedSet<long>? numbers) && numbers.Remove(session) && numbers.Count == 0)
        {
            agentSessions.Remove(agent);
            swim.EndSession(agent);
        }
    }

    /// <summary>This agent's session with the manager whose API has this address is open.</summary>
    public void ManagerSessionOpened(string controlAddress, Instant now, NodeEffects effects)
    {
        ManagerSessionClosed();
        if (ManagerAt(controlAddress) is { } manager && manager != Id.ToString())
        {
            managerInSession = manager;
            swim.WatchSession(manager, asks: true, now, effects.Gossip);
        }
    }

    public void ManagerSessionClosed()
    {
        if (managerInSession is { } former)
        {
            swim.EndSession(former);
            managerInSession = null;
        }
    }

    /// <summary>
    /// The manager at this address, or the only one there is: it may have been dialled by a name, or by another of its
    /// addresses. Null: it cannot be told.
    /// </summary>
    private string? ManagerAt(string controlAddress)
    {
        NodeObject[] managers = [.. intent.Nodes.Where(static n => n.Role == NodeRole.Manager)];
        return (Array.Find(managers, n => n.ControlAddress == controlAddress) ?? (managers.Length == 1 ? managers[0] : null))?.Id;
    }
}

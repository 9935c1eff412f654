using System.Globalization;
using Overlay.Gossip;

namespace Overlay.Simulation.Gossip;

/// <summary>Whom each node sees alive or suspect, followed by its events.</summary>
internal sealed class Views
{
    private readonly bool[][] seen;
    private readonly int[] counts;
    private readonly GossipWorld world;

    /// <param name="acquainted">All see all from the start.</param>
    public Views(GossipWorld world, bool acquainted = false)
    {
        this.world = world;
        int nodes = world.Nodes.Length;
        counts = new int[nodes];
        seen = [.. world.Nodes.Select(_ => new bool[nodes])];
        foreach (bool[] row in acquainted ? seen : [])
        {
            Array.Fill(row, true);
        }

        Array.Fill(counts, acquainted ? nodes : 0);
        Action<GossipNode, GossipEvent>? before = world.Observer;
        world.Observer = (node, change) =>
        {
            before?.Invoke(node, change);
            Hear(node, change);
        };
    }

    /// <summary>Nodes that are up and see exactly those that are up.</summary>
    public int Complete
    {
        get
        {
            int up = world.Live.Count();
            return world.Live.Count(n => counts[n.Index] == up && IsRight(seen[n.Index]));
        }
    }

    public int Least => world.Live.Min(n => counts[n.Index]);

    public int CountOf(GossipNode node) => counts[node.Index];

    public bool Sees(GossipNode node, int other) => seen[node.Index][other];

    /// <summary>The node forgot everything.</summary>
    public void Restarted(GossipNode node)
    {
        Array.Clear(seen[node.Index]);
        counts[node.Index] = 0;
    }

    private bool IsRight(bool[] row)
    {
        for (int i = 0; i < row.Length; i++)
        {
            if (row[i] && !world.Nodes[i].IsUp)
            {
                return false;
            }
        }

        return true;
    }

    private void Hear(GossipNode node, GossipEvent change)
    {
        if (change is GossipEvent.MemberChanged { Member: var member })
        {
            Set(node.Index, member.Name, member.IsLive);
        }
        else if (change is GossipEvent.MemberForgotten gone)
        {
            Set(node.Index, gone.Name, false);
        }
    }

    private void Set(int node, string name, bool value)
    {
        int index = int.Parse(name.AsSpan(5), CultureInfo.InvariantCulture);
        if (seen[node][index] != value)
        {
            seen[node][index] = value;
            counts[node] += value ? 1 : -1;
        }
    }
}

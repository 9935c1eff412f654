using Overlay.Simulation.Checks;
using Overlay.Simulation.Workload;

namespace Overlay.Simulation.World;

/// <summary>All machines, the network between them and the manager.</summary>
internal sealed class SimWorld
{
    public SimWorld(Simulator simulator, RunOptions options)
    {
        Simulator = simulator;
        Options = options;
        Network = new(this);
        Manager = new(this);
        Safety = new(this);
        Users = new(this);
        Keys = new(this);
        for (int i = 0; i < options.Nodes; i++)
        {
            SimNode node = new(this, i + 1);
            Nodes.Add(node);
            if (i == 0)
            {
                Manager.Bootstrap(node);
            }
            else
            {
                Manager.Admit(node);
            }
        }

        foreach (SimNode node in Nodes)
        {
            node.Boot();
        }

        Keys.Start();
    }

    public Simulator Simulator { get; }

    public RunOptions Options { get; }

    public SimNetwork Network { get; }

    public SimManager Manager { get; }

    public Safety Safety { get; }

    public Users Users { get; }

    public SimKeys Keys { get; }

    public List<SimNode> Nodes { get; } = [];

    /// <summary>No fault is made any more.</summary>
    public bool Healed { get; set; }
}

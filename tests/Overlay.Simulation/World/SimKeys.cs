using Overlay.Cluster;
using Overlay.Gossip;

namespace Overlay.Simulation.World;

/// <summary>The manager's replacing of the gossip key: it asks the rules of intent twice a second, and does as they say.</summary>
internal sealed class SimKeys(SimWorld world)
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(500);
    private readonly KeyRotation rotation = new(TimeSpan.FromSeconds(world.Options.KeySeconds));
    private readonly SortedDictionary<string, ulong> confirmed = new(StringComparer.Ordinal);

    public bool Rotates => world.Manager.Store.State.Cluster!.GossipRotation is not null;

    public void Start() => world.Simulator.Later(Pace, Step);

    private void Step()
    {
        Start();
        SimNode manager = world.Nodes[0];
        if (manager is not { Up: true, Paused: false })
        {
            return;
        }

        foreach (SimNode node in world.Nodes.Where(n => n is { Up: true, Paused: false } && world.Manager.Reaches(n)))
        {
            confirmed[node.Id.ToString()] = node.Mind!.Intent.Version;
        }

        ClusterState state = world.Manager.Store.State;
        bool held = !KeyRotation.Missing(state, id => confirmed.GetValueOrDefault(id), id => Lives(manager, id)).Any();
        KeyStep step = rotation.Next(state, held, world.Simulator.Now, world.Simulator.UnixMs);
        if (step != KeyStep.None && world.Manager.TakeKeyStep(step))
        {
            world.Simulator.Say($"keys: {step}");
            world.Simulator.Counters.Add($"key {step}");
        }
    }

    private static bool Lives(SimNode manager, string id) => manager.Mind!.Gossip.Find(id)?.Presence
        is Presence.Alive or Presence.Suspect or Presence.Degraded or Presence.HeldDown;
}

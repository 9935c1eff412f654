using Overlay.Dataplane;
using Overlay.Primitives;

namespace Overlay.Simulation.World;

/// <summary>One machine's kernel. It outlives the agent; strangers have objects in it, and break ours at times.</summary>
internal sealed class SimHost
{
    private const string Stranger = "docker0";

    private readonly SimWorld world;

    private readonly int sandboxes;

    public SimHost(SimWorld world, int sandboxes)
    {
        this.world = world;
        this.sandboxes = sandboxes;
        Start();
    }

    public HostState State { get; private set; } = HostState.Empty;

    /// <summary>The machine starts: its kernel holds the sandboxes and what strangers put there, nothing of ours.</summary>
    public void Start()
    {
        State = HostState.Empty.After(new Operation.CreateNamespace(NamespaceName.Host));
        for (int i = 0; i < sandboxes; i++)
        {
            AddSandbox(new($"sb{i}"));
        }

        AddStranger(NamespaceName.Host);
    }

    public void AddSandbox(NamespaceName name)
    {
        State = State.After(new Operation.CreateNamespace(name));
        AddStranger(name);
    }

    public void RemoveSandbox(NamespaceName name) => State = State.After(new Operation.DeleteNamespace(name));

    public Plan PlanFor(HostState desired)
    {
        SortedSet<NamespaceName> seen = [.. Planner.NamespacesToObserve(desired, State.Namespaces.Keys.Where(n => n.IsOverlay))];
        return Planner.Plan(desired, new() { Namespaces = State.Namespaces.RemoveRange(State.Namespaces.Keys.Where(n => !seen.Contains(n))) });
    }

    /// <param name="plan">What to do.</param>
    /// <param name="limit">The agent dies after so many operations.</param>
    public List<OperationResult> Execute(Plan plan, int limit = int.MaxValue)
    {
        List<OperationResult> failed = [];
        foreach (Operation operation in plan.Operations.Take(limit))
        {
            string? error = !world.Healed && world.Simulator.Prng.Chance(0.01) ? "EBUSY: injected" : State.Refusal(operation);
            if (error is not null)
            {
                failed.Add(new(operation, 16, error));
                world.Simulator.Counters.Add("kernel refused");
            }
            else
            {
                State = State.After(operation);
            }
        }

        CheckStrangers();
        return failed;
    }

    /// <summary>Somebody deletes something that is ours.</summary>
    public bool Drift()
    {
        Prng prng = world.Simulator.Prng;
        NamespaceName[] ours = [.. State.Namespaces.Keys.Where(static n => n.IsOverlay)];
        if (ours.Length == 0)
        {
            return false;
        }

        NamespaceName name = ours[prng.Next(ours.Length)];
        NamespaceState inside = State.Namespaces[name];
        Operation? harm = prng.Next(5) switch
        {
            0 when inside.Fdb.Count > 0 => new Operation.DeleteFdb(name, inside.Fdb[prng.Next(inside.Fdb.Count)]),
            1 when inside.Neighbours.Count > 0 =>
                new Operation.DeleteNeighbour(name, inside.Neighbours[prng.Next(inside.Neighbours.Count)]),
            2 when inside.Fdb.Count > 0 => new Operation.ReplaceFdb(
                name, inside.Fdb[0] with { Vtep = System.Net.IPAddress.Parse("192.0.2.99") }),
            3 when inside.Links.Count > 1 => new Operation.DeleteLink(
                name, inside.Links.Keys.Where(static l => l != "lo").ElementAt(prng.Next(inside.Links.Count - 1))),
            4 => new Operation.DeleteNamespace(name),
            _ => null,
        };
        if (harm is not null)
        {
            State = State.After(harm);
            world.Simulator.Say($"drift {harm}");
        }

        return harm is not null;
    }

    /// <summary>The agent left, or the machine went down: what the agent made goes with it.</summary>
    public void Wipe() => State = HostState.Empty;

    private void AddStranger(NamespaceName name) => State = State
        .After(new Operation.CreateLink(name, new() { Name = Stranger, Kind = LinkKind.Bridge, Mtu = 1400, Up = true }))
        .After(new Operation.ReplaceAddress(name, new(Stranger, System.Net.IPAddress.Parse("172.17.0.1"), 16)));

    private void CheckStrangers()
    {
        foreach ((NamespaceName name, NamespaceState inside) in State.Namespaces)
        {
            if (!name.IsOverlay && (!inside.Links.TryGetValue(Stranger, out LinkState? link) || link.Mtu != 1400 || !link.Up
                || link.Master is not null || !inside.Addresses.Any(static a => a.Device == Stranger && a.PrefixLength == 16)))
            {
                throw new ViolationException($"a stranger's link in {name} was touched");
            }
        }
    }
}

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

    /// <summary>Sandboxes whose programs do not do what they are for.</summary>
    public SortedSet<NamespaceName> Ill { get; } = [];

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
        NamespaceName[] places = [.. State.Namespaces.Where(static n => n.Key.IsOverlay || Ours(n.Value).Length > 0).Select(static n => n.Key)];
        if (places.Length == 0)
        {
            return false;
        }

        NamespaceName name = places[prng.Next(places.Length)];
        Operation? harm = name.IsOverlay ? HarmInOverlay(name) : HarmOutside(name);
        if (harm is not null && State.Refusal(harm) is null)
        {
            State = State.After(harm);
            world.Simulator.Say($"drift {harm}");
            world.Simulator.Counters.Add(name.IsOverlay ? "drift in overlays" : name.IsHost ? "drift in hosts" : "drift in sandboxes");
            return true;
        }

        return false;
    }

    private Operation? HarmInOverlay(NamespaceName name)
    {
        Prng prng = world.Simulator.Prng;
        NamespaceState inside = State.Namespaces[name];
        return prng.Next(5) switch
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
    }

    /// <summary>In the host's own namespace, or in a sandbox: where strangers have objects beside ours.</summary>
    private Operation? HarmOutside(NamespaceName name)
    {
        Prng prng = world.Simulator.Prng;
        NamespaceState inside = State.Namespaces[name];
        string[] links = Ours(inside);
        string link = links[prng.Next(links.Length)];
        AddressEntry[] addresses = [.. inside.Addresses.Where(a => a.Device == link)];
        return prng.Next(6) switch
        {
            0 => new Operation.DeleteLink(name, link),
            1 => new Operation.ChangeLink(name, link, Mtu: 1000, Up: false),
            2 when addresses.Length > 0 => new Operation.DeleteAddress(name, addresses[prng.Next(addresses.Length)]),
            3 when inside.Routes.Count > 0 => new Operation.DeleteRoute(name, inside.Routes[prng.Next(inside.Routes.Count)]),
            4 when inside.NftTable is not null => new Operation.DeleteNftTable(name),
            5 when inside.Links[link].Master is not null => new Operation.ChangeLink(name, link, Master: ""),
            _ => null,
        };
    }

    private static string[] Ours(NamespaceState inside) => [.. inside.Links.Keys.Where(static l => l is not ("lo" or Stranger))];

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

using Overlay.Dataplane;

namespace Overlay.Tests.Dataplane;

/// <summary>The model as a kernel: refuses as the real one would, and tells as little as the real one's dumps.</summary>
internal sealed class ModelKernel
{
    public HostState State { get; private set; } = new()
    {
        Namespaces = HostState.Empty.Namespaces.Add(NamespaceName.Host, NamespaceState.Empty),
    };

    public void Change(NamespaceName name, Func<NamespaceState, NamespaceState> change) => State = new()
    {
        Namespaces = State.Namespaces.SetItem(
            name, change(State.Namespaces.TryGetValue(name, out NamespaceState? state) ? state : NamespaceState.Empty)),
    };

    public void Add(NamespaceName name, LinkState link) =>
        Change(name, s => s with { Links = s.Links.SetItem(link.Name, link) });

    /// <summary>The error, or null.</summary>
    public string? Execute(Operation operation)
    {
        if (State.Refusal(operation) is { } refusal)
        {
            return $"{operation}: {refusal}";
        }

        State = State.After(operation);
        return null;
    }

    /// <summary>Executes a plan; what was refused.</summary>
    public List<string> Execute(Plan plan) => [.. plan.Operations.Select(Execute).OfType<string>()];

    public HostState Observe(HostState wish)
    {
        HostState seen = HostState.Empty;
        foreach (NamespaceName name in Planner.NamespacesToObserve(wish, State.Namespaces.Keys.Where(static n => n.IsOverlay)))
        {
            if (State.Namespaces.TryGetValue(name, out NamespaceState? state))
            {
                NamespaceState dumped = state with
                {
                    Links = state.Links.ToBuilder().ToImmutable().SetItems(state.Links.Select(
                        static l => KeyValuePair.Create(l.Key, l.Value with { Peer = null }))),
                };
                seen = new() { Namespaces = seen.Namespaces.Add(name, dumped) };
            }
        }

        return seen;
    }

    public Plan PlanFor(HostState wish) => Planner.Plan(wish, Observe(wish));
}

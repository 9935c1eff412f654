using Overlay.Node;
using Overlay.Primitives;
using Overlay.Simulation.World;
using Overlay.V1;

namespace Overlay.Simulation.Checks;

/// <summary>What may never be, whatever fails: asked after every change of any node's endpoints.</summary>
internal sealed class Safety(SimWorld world)
{
    private readonly SortedDictionary<string, Holder> holders = new(StringComparer.Ordinal);
    private readonly SortedSet<(int Node, int Life, long Request)> answers = [];

    /// <param name="Id">Of an endpoint, or of a service whose virtual address it is.</param>
    /// <param name="Node">Of a service: none.</param>
    private sealed record Holder(string Id, NodeId Node, Instant LastSeen);

    public void Completed(SimNode node, Completion completion)
    {
        // Users' requests have numbers of their own; what a node asks of itself is negative, and counts anew in each of its lives.
        bool isUsers = completion.RequestId > 0;
        if (!answers.Add((isUsers ? 0 : node.Number, isUsers ? 0 : node.Life, completion.RequestId)))
        {
            throw new ViolationException($"request {completion.RequestId} was answered twice");
        }

        world.Simulator.Counters.Add(completion.Refusal is null ? "request granted" : "request refused");
    }

    /// <summary>
    /// A fused verdict is never about a host that is up and could be reached by all but one: a moment ago at least two
    /// others were cut off from it, or all others there are.
    /// </summary>
    public void Judged(SimNode judge, string name)
    {
        Instant recently = world.Simulator.Now - TimeSpan.FromSeconds(2);
        SimNode judged = world.Nodes.Single(n => n.Id.ToString() == name);
        if (judged.Gone || !judged.HostUp || judged.HostWasDownUntil >= recently)
        {
            return;
        }

        SimNode[] others = [.. world.Nodes.Where(n => n != judged && n is { Up: true, Gone: false })];
        int cutOff = others.Count(n => world.Network.LastCut(n.Number, judged.Number) >= recently);
        if (cutOff < Math.Min(2, others.Length))
        {
            throw new ViolationException(
                $"node {judge.Number} declared {judged.Number} dead, which is up and cut off from {cutOff} of {others.Length}");
        }
    }

    /// <summary>An attach that was never on disk was never answered: its address may be given at once.</summary>
    public void Crashed(SimNode node)
    {
        SortedSet<string> kept = new(node.OnDisk.Select(static e => e.Id.ToString()), StringComparer.Ordinal);
        foreach (string address in holders.Where(h => h.Value.Node == node.Id && !kept.Contains(h.Value.Id))
            .Select(static h => h.Key).ToArray())
        {
            holders.Remove(address);
        }

        Check();
    }

    public void Check()
    {
        SortedDictionary<string, string> taken = new(StringComparer.Ordinal);
        SortedDictionary<string, EndpointId> macs = new(StringComparer.Ordinal);
        foreach (SimNode node in world.Nodes)
        {
            foreach (HeldEndpoint endpoint in node.Held)
            {
                if (!macs.TryAdd(endpoint.Mac, endpoint.Id))
                {
                    throw new ViolationException($"MAC {endpoint.Mac} is of {endpoint.Id} and of {macs[endpoint.Mac]}");
                }

                Hold(node, endpoint, endpoint.Ipv4, endpoint.Reserved4, taken);
                Hold(node, endpoint, endpoint.Ipv6, endpoint.Reserved6, taken);
            }
        }

        foreach (ServiceObject service in world.Manager.Store.State.Services)
        {
            foreach (string address in service.VirtualAddresses)
            {
                Hold($"{service.NetworkId} {address}", new(service.Id, default, world.Simulator.Now), chosenHere: false, taken);
            }
        }

        SortedSet<uint> vnis = [];
        foreach (Segment segment in world.Manager.Store.State.Networks.SelectMany(static n => n.Segments))
        {
            if (!vnis.Add(segment.Vni))
            {
                throw new ViolationException($"VNI {segment.Vni} is used twice");
            }
        }
    }

    private void Hold(SimNode node, HeldEndpoint endpoint, string? address, bool reserved, SortedDictionary<string, string> taken)
    {
        if (address is null)
        {
            return;
        }

        string key = $"{endpoint.Network} {address}";
        bool chosenHere = holders.TryGetValue(key, out Holder? before) && before.Node == node.Id
            && (reserved || world.Users.IsStatic(endpoint.Name));
        Hold(key, new(endpoint.Id.ToString(), node.Id, world.Simulator.Now), chosenHere, taken);
    }

    /// <param name="chosenHere">The node that had it last gives it again because it was asked to.</param>
    private void Hold(string key, Holder holder, bool chosenHere, SortedDictionary<string, string> taken)
    {
        if (!taken.TryAdd(key, holder.Id))
        {
            throw new ViolationException($"{key} is held by {holder.Id} and {taken[key]}");
        }

        if (holders.TryGetValue(key, out Holder? before) && before.Id != holder.Id)
        {
            world.Simulator.Counters.Add("address reused");
            if (!chosenHere && holder.LastSeen - before.LastSeen < TimeSpan.FromSeconds(world.Options.QuarantineSeconds))
            {
                throw new ViolationException(
                    $"{key} of {before.Id} on {before.Node} was given to {holder.Id} on {holder.Node} after {holder.LastSeen - before.LastSeen}");
            }
        }

        holders[key] = holder;
    }
}

using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// The VNIs of a new network. The search goes on where the last one ended, so that the number of a removed network
/// comes back late, when no host has its devices any more.
/// </summary>
internal sealed class VniChoice(ClusterState state, string what)
{
    private readonly SortedDictionary<uint, string> taken = Taken(state);

    /// <summary>Where the next search begins.</summary>
    public uint Cursor { get; private set; } = state.Cluster!.NextVni;

    public Refusal? Given(uint vni, Segment segment)
    {
        if (!new Vni(vni).IsValid)
        {
            return new(
                RefusalKind.Invalid, what, $"{vni} is not a VNI.",
                $"Give `--vni` from 1 to {Vni.Max}, or leave it out.");
        }

        if (taken.TryGetValue(vni, out string? holder))
        {
            return new(
                RefusalKind.Conflict, what, $"Network {Refusal.Quote(holder)} has the VNI {vni}.",
                "Choose another `--vni`, or leave it out to get a free one.");
        }

        taken.Add(vni, "");
        segment.Vni = vni;
        return null;
    }

    public Refusal? Automatic(Segment segment)
    {
        uint count = Vni.Max - Vni.FirstAutomatic + 1;
        uint offset = Math.Max(Cursor, Vni.FirstAutomatic) - Vni.FirstAutomatic;
        for (uint i = 0; i < count; i++)
        {
            uint vni = Vni.FirstAutomatic + ((offset + i) % count);
            if (taken.TryAdd(vni, ""))
            {
                segment.Vni = vni;
                Cursor = vni == Vni.Max ? Vni.FirstAutomatic : vni + 1;
                return null;
            }
        }

        return new(
            RefusalKind.Exhausted, what, $"Every VNI from {Vni.FirstAutomatic} to {Vni.Max} is in use.",
            "Type `overlayd network rm` for networks that nobody needs.");
    }

    private static SortedDictionary<uint, string> Taken(ClusterState state)
    {
        SortedDictionary<uint, string> taken = [];
        foreach (NetworkObject network in state.Networks)
        {
            foreach (Segment segment in network.Segments)
            {
                taken.Add(segment.Vni, network.Name);
            }
        }

        return taken;
    }
}

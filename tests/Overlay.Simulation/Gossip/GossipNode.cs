using System.Net;
using Overlay.Gossip;
using Overlay.Primitives;

namespace Overlay.Simulation.Gossip;

/// <summary>What is wrong with a node, apart from its links.</summary>
internal enum Ailment
{
    None,

    /// <summary>The whole process stands still; what came meanwhile is read before any timer.</summary>
    Paused,

    /// <summary>Timers fire on time, nothing is read, and what is sent leaves at the end.</summary>
    Blocked,

    /// <summary>Timers fire on time, and every packet is read late.</summary>
    Starved,
}

/// <summary>One node: the core, its place in the network and what is wrong with it.</summary>
internal sealed class GossipNode(int index, IPEndPoint address)
{
    public int Index { get; } = index;

    public string Name { get; } = NameOf(index);

    public IPEndPoint Address { get; } = address;

    public Swim Swim { get; set; } = null!;

    public GossipEffects Effects { get; } = new();

    public bool IsUp { get; set; }

    /// <summary>Grows with every start, so that what was meant for a former life is dropped.</summary>
    public int Life { get; set; }

    public Ailment Ailment { get; set; }

    /// <summary>Nodes of different groups do not hear each other.</summary>
    public int Group { get; set; }

    /// <summary>Share of packets lost on their way in, beside the network's own.</summary>
    public double LossIn { get; set; }

    /// <summary>Packets to these are lost: a link that works in one direction.</summary>
    public HashSet<int> DeafTo { get; } = [];

    public Instant ArmedFor { get; set; } = Instant.Never;

    public Queue<GossipWorld.Event> Waiting { get; } = new();

    public List<Action> Held { get; } = [];

    public SortedDictionary<long, GossipWorld.Event> OpenStreams { get; } = [];

    public long DatagramBytes { get; set; }

    public long StreamBytes { get; set; }

    /// <summary>Of both kinds.</summary>
    public long ReceivedBytes { get; set; }

    public ulong BootId { get; set; }

    public Instant StartedAt { get; set; }

    public Instant? CrashedAt { get; set; }

    public static string NameOf(int index) => $"node-{index:D4}";
}

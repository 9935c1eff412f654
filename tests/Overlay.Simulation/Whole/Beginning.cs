using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Simulation.Whole;

/// <summary>The cluster as it is before anything happens: a network whose addresses clients fight for, on every voter's disk.</summary>
internal sealed class Beginning
{
    public const ulong Index = 3;
    public const ulong Term = 1;
    public const string ClusterId = "c1";
    public const long QuarantineSeconds = 4;
    public static readonly string HeldNetwork = new NetworkId(7).ToString();
    public static readonly string Holder = new NodeId(1000).ToString();

    private readonly WholeWorld world;

    private Beginning(WholeWorld world, LogSnapshot snapshot)
    {
        this.world = world;
        Snapshot = snapshot;
    }

    public LogSnapshot Snapshot { get; }

    public static string Address(int number) => $"10.99.0.{number + 10}";

    public static Beginning Of(WholeWorld world, Prng prng)
    {
        Store store = new();
        ByteString Bytes(int count)
        {
            byte[] bytes = new byte[count];
            prng.Fill(bytes);
            return ByteString.CopyFrom(bytes);
        }

        store.Apply(1, new Intent(store.State, "", 0).Bootstrap(new()
        {
            ClusterId = ClusterId,
            CaCertificate = Bytes(8),
            CaKey = Bytes(8),
            WorkerSecret = Bytes(16),
            ManagerSecret = Bytes(16),
            GossipKey = Bytes(32),
            QuarantineSeconds = QuarantineSeconds,
            FirstManager = NodeOf(1, NodeRole.Manager),
        }).Value.Transaction);
        store.Apply(2, new Intent(store.State, "", 0).AddNode(NodeOf(1000, NodeRole.Worker)).Value.Transaction);
        store.Apply(Index, new Intent(store.State, "", 0).CreateNetwork(new()
        {
            Id = HeldNetwork,
            Name = "held",
            Subnets = ["10.99.0.0/24"],
            Ranges = ["10.99.0.128/25"],
        }).Value.Transaction);
        MemberId[] voters = [.. Enumerable.Range(0, world.Swarm.Voters).Select(static slot => new MemberId((ulong)slot + 1))];
        return new(world, new(Index, Term, store.Snapshot().ToByteArray()) { Configuration = Configuration.OfVoters(voters) });
    }

    public static NodeObject NodeOf(ulong number, NodeRole role) => new()
    {
        Id = new NodeId(number).ToString(),
        Hostname = $"h{number}",
        Role = role,
        GossipAddress = $"10.200.{number / 250}.{(number % 250) + 1}:7946",
        DataPathAddress = $"10.200.{number / 250}.{(number % 250) + 1}",
        ControlAddress = role == NodeRole.Manager ? $"10.200.{number / 250}.{(number % 250) + 1}:2377" : "",
        MemberId = role == NodeRole.Manager ? number : 0,
    };

    public void Write()
    {
        foreach (WholeNode node in world.Nodes.Take(world.Swarm.Voters))
        {
            using (LogStore log = LogStore.OpenAs(new SimFolder(node.Disk), node.OptionsOfLog, out _))
            {
                log.WriteState(new(Term, MemberId.None));
                log.Install(Snapshot);
            }

            node.Disk.Settle();
            node.Durable.State = new(Term, MemberId.None);
            node.Durable.Install(Snapshot.Mark);
        }
    }
}

using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Manager;
using Overlay.Raft.Consensus;
using Overlay.Tests.Cluster;
using Overlay.Tests.Daemon.Manager.Peers;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager.Replication;

/// <summary>Several managers in one process, each with a folder and a port of its own.</summary>
internal sealed class ManagersRig : IAsyncDisposable
{
    private readonly PeerRig trust = new();
    private readonly TemporaryFolder folder = new();
    private readonly int snapshotEvery;
    private ulong lastId = 1000;

    private ManagersRig(int snapshotEvery) => this.snapshotEvery = snapshotEvery;

    public List<ManagerHost> Hosts { get; } = [];

    public CapturedLogs Logs { get; } = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>One founds the cluster, the others are taken in as learners and made voters.</summary>
    public static async Task<ManagersRig> StartAsync(int count, int snapshotEvery = 4096)
    {
        ManagersRig rig = new(snapshotEvery);
        ManagerHost founder = rig.Add(1, []);
        Proposal<ClusterObject> bootstrap = new Intent(ClusterState.Empty, "", 1_000_000).Bootstrap(
            World.Spec("10.0.0.0/8") with { FirstManager = World.Node(99, NodeRole.Manager) }).Value;
        ManagerHost.CreateLog(rig.FolderOf(1), founder.Member, bootstrap.Transaction);
        await founder.StartAsync();
        await rig.AdmitAsync(founder);
        for (ulong node = 2; node <= (ulong)count; node++)
        {
            ManagerHost joined = rig.Add(node, [founder.Peer]);
            await joined.StartAsync();
            await rig.AdmitAsync(joined);
            await rig.ChangeAsync(new(MemberChangeKind.AddLearner, joined.Member));
            await rig.IsCaughtUpAsync(joined);
            await rig.ChangeAsync(new(MemberChangeKind.AddVoter, joined.Member));
        }

        return rig;
    }

    /// <summary>Asks every running manager until one has acknowledged it; the same request each time.</summary>
    public async Task<NetworkObject> CreateAsync(string name)
    {
        NetworkSpec spec = ManagerRig.Spec(Interlocked.Increment(ref lastId), name);
        Outcome<NetworkObject> made = await AskAsync(loop => loop.ProposeAsync(intent => intent.CreateNetwork(spec), $"create {name}", Cancelled));
        return made.Value;
    }

    public async Task<ManagerHost> LeaderAsync()
    {
        while (true)
        {
            if (Hosts.Find(static h => h.IsRunning && h.Loop.Engine.View.IsLeader) is { } leader)
            {
                return leader;
            }

            await Task.Delay(5, Cancelled);
        }
    }

    /// <summary>Returns when the manager holds a network, however it came to it.</summary>
    public static async Task HoldsAsync(ManagerHost host, string network)
    {
        ClusterState state = host.Loop.State;
        while (state.NetworkNamed(network) is null)
        {
            state = await host.Loop.WaitForChangeAsync(state.Version, Cancelled);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (ManagerHost host in Hosts)
        {
            await host.DisposeAsync();
        }

        await trust.DisposeAsync();
        Logs.Factory.Dispose();
        Logs.Dispose();
        folder.Dispose();
    }

    private string FolderOf(ulong node) => Path.Combine(folder.Path, $"log{node}");

    private ManagerHost Add(ulong node, IReadOnlyList<Overlay.Daemon.Manager.Peers.PeerAddress> seeds)
    {
        ManagerHost host = new(trust.Identity(node), 100 + node, FolderOf(node), snapshotEvery, seeds, Logs);
        Hosts.Add(host);
        return host;
    }

    /// <summary>The store learns where a manager is; all others listen to it from then on.</summary>
    private async Task AdmitAsync(ManagerHost host)
    {
        NodeObject node = World.Node(host.Identity.Node.Value);
        node.Id = host.Identity.Node.ToString();
        node.Role = NodeRole.Manager;
        node.ControlAddress = host.Peer.Address;
        node.MemberId = host.Member.Value;
        Outcome<NodeObject> added = await AskAsync(loop => loop.ProposeAsync(
            intent => intent.AddNode(node), $"node {node.Id}", Cancelled));
        Assert.False(added.IsRefused, added.Refusal?.ToString());
    }

    /// <summary>Who votes before it has the log leaves too few who can, if one of the others ends; managers do not do that.</summary>
    private async Task IsCaughtUpAsync(ManagerHost learner)
    {
        while (!(await (await LeaderAsync()).Loop.Engine.StatusAsync()).Members
            .Any(m => m.Member == learner.Member && m.IsCaughtUp))
        {
            await Task.Delay(5, Cancelled);
        }

        // It listens only to those whom it knows; the store has one node more than there are hosts.
        while (learner.Loop.State.Nodes.Count() <= Hosts.Count)
        {
            await Task.Delay(5, Cancelled);
        }
    }

    private async Task ChangeAsync(MemberChange change)
    {
        while (true)
        {
            ManagerHost leader = await LeaderAsync();
            ProposeOutcome outcome = await leader.Loop.Engine.ChangeAsync([change]);
            RaftStatus status = await leader.Loop.Engine.StatusAsync();
            while (outcome.IsAccepted && status.Applied < outcome.Index && status.Role == RaftRole.Leader)
            {
                await Task.Delay(5, Cancelled);
                status = await leader.Loop.Engine.StatusAsync();
            }

            if (outcome.IsAccepted && status.Applied >= outcome.Index)
            {
                return;
            }

            await Task.Delay(5, Cancelled);
        }
    }

    private async Task<Outcome<T>> AskAsync<T>(Func<ManagerLoop, Task<Outcome<T>>> ask)
        where T : notnull
    {
        while (true)
        {
            foreach (ManagerHost host in Hosts.Where(static h => h.IsRunning && h.Loop.Engine.View.IsLeader).ToArray())
            {
                Outcome<T> outcome = await ask(host.Loop);
                if (outcome.Refusal is not { Kind: RefusalKind.Unavailable or RefusalKind.NoQuorum })
                {
                    return outcome;
                }
            }

            await Task.Delay(5, Cancelled);
        }
    }
}

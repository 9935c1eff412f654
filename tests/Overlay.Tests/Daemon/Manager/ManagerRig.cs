using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Tests.Cluster;
using Overlay.Tests.Daemon.Storage;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager;

/// <summary>A manager's loop over a log in memory, with a cluster of one node.</summary>
internal sealed class ManagerRig : IDisposable
{
    private static readonly MemberId Member = new(77);
    private readonly Instruments instruments = new();
    private readonly LogLimits limits;
    private readonly int snapshotEvery;
    private ulong lastId = 100;

    public ManagerRig(int snapshotEvery = ManagerLoop.SnapshotEvery, LogLimits? limits = null)
    {
        this.snapshotEvery = snapshotEvery;
        this.limits = limits ?? new();
        using (LogStore log = LogStore.OpenAs(Folder, Options(), out _))
        {
            log.WriteState(new(1, MemberId.None));
            Proposal<ClusterObject> bootstrap = new Intent(ClusterState.Empty, "", 1_000_000).Bootstrap(World.Spec("10.0.0.0/8")).Value;
            log.Append([new(1, 1, bootstrap.Transaction.ToByteArray())]);
        }

        Loop = Open();
    }

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ModelFolder Folder { get; private set; } = new();

    public ManagerLoop Loop { get; private set; }

    public CapturedLogs Logs { get; } = new();

    public ManualTime Time { get; } = new(DateTimeOffset.UnixEpoch.AddDays(20_000));

    public static NetworkSpec Spec(ulong id, string name) => new() { Id = new NetworkId(id).ToString(), Name = name };

    public Task<Outcome<NetworkObject>> CreateAsync(string name, string requestId = "")
    {
        NetworkSpec spec = Spec(Interlocked.Increment(ref lastId), name);
        return Loop.ProposeAsync(intent => intent.CreateNetwork(spec), requestId, Cancelled);
    }

    public Task<Outcome<NetworkObject>> RemoveAsync(string name) =>
        Loop.ProposeAsync(intent => intent.RemoveNetwork(name), "", Cancelled);

    /// <summary>Returns when the loop has nothing to do: what it does after an answer is done as well.</summary>
    public async Task<ulong> SettleAsync()
    {
        ulong version = await Loop.QueryAsync(static store => store.Version, Cancelled);
        await Loop.Engine.IdleAsync().WaitAsync(Cancelled);
        return version;
    }

    /// <summary>Everything that comes until the returned action is called waits together.</summary>
    public async Task<Action> HoldAsync()
    {
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ManualResetEventSlim go = new();
        Task<bool> holding = Loop.QueryAsync(
            _ =>
            {
                held.SetResult();
                go.Wait(Cancelled);
                go.Dispose();
                return true;
            },
            Cancelled);
        await held.Task;
        return go.Set;
    }

    /// <summary>An orderly end and a new start; or, with an image, a start from that disk.</summary>
    public void Restart(SortedDictionary<string, ReadOnlyMemory<byte>>? image = null)
    {
        Loop.Dispose();
        Folder = new(image ?? Folder.Image());
        Loop = Open();
    }

    public void Dispose()
    {
        Loop.Dispose();
        Logs.Factory.Dispose();
        Logs.Dispose();
        Time.Dispose();
        instruments.Dispose();
    }

    private ManagerLoop Open()
    {
        LogStore log = LogStore.OpenAs(Folder, Options(), out LogRecovery found);
        ManagerLoop loop = new(found, log, new()
        {
            Self = new("cluster", Member, 1),
            IsFounder = true,
            Clock = new(Time),
            Prng = new(1),
            Instruments = instruments,
            Logger = Logs.Factory.CreateLogger<ManagerLoop>(),
            SnapshotEvery = snapshotEvery,
        });
        loop.Engine.IdleAsync().GetAwaiter().GetResult();
        return loop;
    }

    private LogOptions Options() => new() { Limits = limits, Identity = new("cluster", Member) };
}

using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Trust;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// Everything that runs while this host is in a cluster: the node and its loop, gossip streams, the line to a
/// manager, and the manager itself where this node is one. Ended, it leaves the kernel as it is.
/// </summary>
internal sealed partial class Membership : INodeEffectsHandler, IAsyncDisposable
{
    private static readonly TimeSpan ReleaseRetry = TimeSpan.FromSeconds(5);

    private readonly AgentServices services;
    private readonly ILogger logger;
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentDictionary<long, TaskCompletionSource<Completion>> requests = new();
    private readonly NodeLoop loop;
    private readonly GossipStreams streams;
    private readonly StateWriter writer;
    private readonly ManagerSession session;
    private readonly CertificateRenewal renewal;
    private readonly PlaceClaim place;
    private readonly List<Task> running = [];
    private volatile Keyring keyring;
    private volatile IReadOnlyList<string> managers;
    private long lastRequest;

    private Membership(MembershipRecord record, NodeIdentity identity, Node.Node node, AgentHost host)
    {
        services = host.Services;
        Record = record;
        Identity = identity;
        managers = ManagersIn(node.Intent);
        keyring = KeyringOf(node.Intent);
        logger = services.Logs.CreateLogger<Membership>();
        IPEndPoint gossip = IPEndPoint.Parse(record.GossipAddress);
        loop = new(node, gossip, services.Clock, this, services.Logs.CreateLogger<NodeLoop>());
        try
        {
            streams = new(gossip, loop.TryPost, () => keyring, services.Logs.CreateLogger<GossipStreams>());
        }
        catch
        {
            loop.Dispose();
            throw;
        }

        writer = new(
            Path.Combine(services.Settings.StateFolder, NodeStateFile.FileName),
            (revision, error) => loop.TryPost(new PersistedInput(revision, error)));
        Gossip = new(loop, () => Manager, services.Logs.CreateLogger<GossipCalls>());
        session = new(
            identity, ManagersToTry, Describe, AssignedAsync,
            address => loop.TryPost(new ManagerSessionInput(address)), services.NewPrng(), services.Clock.Time,
            services.Instruments, services.Logs.CreateLogger<ManagerSession>())
        {
            Epoch = node.Intent.Cluster?.Epoch ?? 0,
        };
        renewal = new(
            identity, session.RenewAsync, Renewed, services.Clock.Time, services.NewPrng(),
            services.Logs.CreateLogger<CertificateRenewal>());
        place = new(() => MemberHere, session.Reopen, services.Clock.Time, services.Logs.CreateLogger<PlaceClaim>());
        Managership = new(
            record, identity, host, PeersAsync, Begun, session.Reopen, services.Logs.CreateLogger<Managership>())
        {
            Epoch = () => session.Epoch,
        };
    }

    public MembershipRecord Record { get; }

    public NodeIdentity Identity { get; }

    public Managership Managership { get; }

    /// <summary>Null: this node is a worker, or its manager has not begun yet.</summary>
    public ManagerServer? Manager => Managership.Server;

    private ulong MemberHere => Manager?.Loop.Engine.Self.Member.Value ?? 0;

    /// <summary>ip:port of the managers that are known.</summary>
    public IReadOnlyList<string> ManagerAddresses => managers;

    public NodeLoop Loop => loop;

    public ManagerSession Session => session;

    /// <summary>The operator's questions to gossip that wait for answers.</summary>
    public GossipCalls Gossip { get; }

    /// <summary>Ends when a part fails that the agent cannot go on without.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    public static async Task<Membership> StartAsync(
        MembershipRecord record, NodeIdentity identity, AgentHost host, CancellationToken cancellationToken)
    {
        AgentServices services = host.Services;
        LocalState? persisted = NodeStateFile.Load(services.Settings.StateFolder, record.NodeId);
        IPAddress vtep = IPAddress.Parse(record.DataPathAddress);
        NodeSettings settings = new()
        {
            Id = NodeId.Parse(record.NodeId),
            GossipAddress = IPEndPoint.Parse(record.GossipAddress),
            HostName = services.Settings.HostName,
            ManagerAddress = (record.Epoch > 1 || record.HasMoved) && identity.Role == NodeRole.Manager ? record.ControlAddress : "",
            Vtep = vtep,
            UnderlayMtu = services.UnderlayMtu(vtep),
            BootId = (ulong)services.Clock.UnixMs,
            Swim = services.Settings.Gossip,
            GatewayPrefix = services.GatewayPrefix,
            LoadBalancer = services.LoadBalancer,
            WallClockOriginUnixMs = services.Clock.UnixMs - (services.Clock.Now.Nanoseconds / 1_000_000),
        };
        Membership membership = new(record, identity, new(settings, persisted, services.NewPrng()), host);
        services.Reconciler.Programmed = membership.Programmed;
        CancellationToken token = membership.stopping.Token;
        membership.running.Add(membership.loop.RunAsync(token));
        try
        {
            await membership.Managership.ResumeAsync(cancellationToken);
        }
        catch
        {
            await membership.DisposeAsync();
            throw;
        }

        membership.running.AddRange(
        [
            membership.streams.Completion,
            membership.session.RunAsync(token),
            membership.renewal.RunAsync(token),
            membership.Managership.RunAsync(token),
        ]);
        membership.Completion = Task.WhenAny(membership.running).Unwrap();
        return membership;
    }

    /// <summary>Runs an attach or detach and waits for its answer.</summary>
    public async Task<Completion> RequestAsync(Action<Node.Node, long, Instant, NodeEffects> start, CancellationToken cancellationToken)
    {
        long id = Interlocked.Increment(ref lastRequest);
        TaskCompletionSource<Completion> waiting = new(TaskCreationOptions.RunContinuationsAsynchronously);
        requests[id] = waiting;
        try
        {
            await loop.CallAsync(
                (node, now, effects) =>
                {
                    start(node, id, now, effects);
                    return true;
                },
                cancellationToken);
            return await waiting.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            requests.TryRemove(id, out _);
        }
    }

    public Task<T> ReadAsync<T>(Func<Node.Node, T> read, CancellationToken cancellationToken) =>
        loop.ReadAsync(read, cancellationToken);

    public void Persist(long revision, LocalState state) => writer.Write(revision, state);

    public void Dial(StreamDial dial) => streams.Dial(dial);

    public void Reply(in StreamReply reply) => streams.Reply(reply);

    public void Probed(TimeSpan roundTrip) => services.Instruments.GossipProbeRtt.Record(roundTrip.TotalSeconds);

    public void Ask(ManagerRequest request) => _ = AskAsync(request);

    public void Reconcile(long revision, DataplaneInputs inputs) => services.Reconciler.Want(revision, inputs);

    public void PublishZones(ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> zones) =>
        services.Names.Publish(zones);

    public void AbandonSession() => session.Abandon();

    public void Ask(HealthProbe probe) => _ = AskAsync(probe);

    public void Complete(Completion completion)
    {
        if (requests.TryRemove(completion.RequestId, out TaskCompletionSource<Completion>? waiting))
        {
            waiting.TrySetResult(completion);
        }
        else if (completion is { RequestId: < 0, Refusal: { } refusal })
        {
            LogNotOnIngress(refusal.Why);
        }
    }

    public void Publish(NodeEvent happened)
    {
        if (happened is NodeEvent.GossipTold { Told: var told })
        {
            Gossip.Hear(told);
        }

        if (happened is not NodeEvent.GossipTold { Told: not GossipEvent.UserEvent })
        {
            services.Events.Publish(happened);
        }
    }

    /// <summary>Ends the runtime. The kernel, and what is on disk, stay.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        services.Reconciler.Programmed = null;
        await streams.DisposeAsync();
        // Before what runs is waited for: the manager's own end is among it.
        await Managership.DisposeAsync();

        try
        {
            await Task.WhenAll(running);
        }
        catch (Exception e) when (e is OperationCanceledException or System.Net.Sockets.SocketException or ObjectDisposedException)
        {
            // They end because they were told to.
        }
        catch (Exception) when (Completion.IsFaulted)
        {
            // The part that failed is why this ends; Completion has told it.
        }

        loop.Dispose();
        writer.Dispose();
        stopping.Dispose();
    }

    /// <summary>Removes what a membership leaves on disk, the membership record first.</summary>
    public static void Erase(string stateFolder)
    {
        File.Delete(Path.Combine(stateFolder, MembershipRecord.FileName));
        File.Delete(Path.Combine(stateFolder, NodeStateFile.FileName));
        NodeIdentity.Erase(stateFolder);
        ManagerServer.Erase(stateFolder);
    }

    private void Programmed(long revision, IReadOnlyList<EndpointFailure> failures) =>
        loop.TryPost(new ProgrammedInput(revision, failures));

    private async Task AskAsync(ManagerRequest request)
    {
        try
        {
            GrantInput answer = await session.AskAsync(request, stopping.Token);
            if (request is ManagerRequest.Release && answer.Refusal is { Kind: RefusalKind.Unavailable })
            {
                await Task.Delay(ReleaseRetry, services.Clock.Time, stopping.Token);
                Ask(request);
                return;
            }

            await loop.PostAsync(answer, stopping.Token);
        }
        catch (OperationCanceledException)
        {
            // The agent stops; a release is repeated by the manager's own sweep when the node is removed.
        }
    }

    private async Task AskAsync(HealthProbe probe)
    {
        try
        {
            string? fault = await services.Prober.AskAsync(probe, stopping.Token);
            await loop.PostAsync(new HealthToldInput(probe.Endpoint, probe.Question, fault), stopping.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The membership ends, and its questions with it.
        }
    }

    private async ValueTask AssignedAsync(Assignment assignment, CancellationToken cancellationToken)
    {
        if (assignment.Cluster is { } cluster)
        {
            keyring = new([.. cluster.GossipKeys.Select(static k => k.Key.ToByteArray())]);
            Believe(cluster);
        }

        await loop.PostAsync(new AssignmentInput(assignment), cancellationToken);
        await FollowManagersAsync(assignment, cancellationToken);
        if (assignment.Cluster is not null)
        {
            _ = ConfirmKeysAsync();
        }
    }

    private void Believe(ClusterView cluster)
    {
        try
        {
            Identity.Believe(cluster.CaCertificate.Span, cluster.NextCaCertificate.Span);
            renewal.Hasten();
        }
        catch (Exception e) when (e is InvalidDataException or StorageWriteException)
        {
            LogRootNotTaken(e.Message);
        }
    }

    [LoggerMessage(EventId = 113, Level = LogLevel.Warning, Message = "Not on the ingress network yet, so that no port of all nodes is served: {Reason}")]
    private partial void LogNotOnIngress(string reason);

    [LoggerMessage(EventId = 112, Level = LogLevel.Error, Message = "The cluster's root certificates stay as they are here: {Reason}")]
    private partial void LogRootNotTaken(string reason);

    private NodeDescription Describe()
    {
        NodeDescription description = new()
        {
            Hostname = services.Settings.HostName,
            GossipAddress = Record.GossipAddress,
            DataPathAddress = Record.DataPathAddress,
            ControlAddress = Record.ControlAddress,
            AgentVersion = AgentVersion.Text,
            MemberId = MemberHere,
        };
        description.Routes.AddRange(services.HostRoutes());
        return description;
    }

    private static Keyring KeyringOf(AssignmentView view) =>
        view.Cluster is { } cluster ? new([.. cluster.GossipKeys.Select(static k => k.Key.ToByteArray())]) : Keyring.Plaintext;
}

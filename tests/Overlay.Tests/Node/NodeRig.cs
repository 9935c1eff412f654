using System.Net;
using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Gossip;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.Tests.Cluster;
using Overlay.V1;
using Mind = Overlay.Node.Node;

namespace Overlay.Tests.Node;

/// <summary>
/// One node with a disk, a kernel and a manager that do what a test wants: by default each confirms at once. The
/// manager is the real store with the real rules.
/// </summary>
internal sealed partial class NodeRig
{
    public const ulong Number = 2;

    private readonly NodeEffects effects = new();
    private readonly SwimOptions swim;
    private ulong applied;
    private ulong boots = 100;
    private long lastRequest;

    public NodeRig(SwimOptions? swim = null, params string[] subnets)
    {
        this.swim = swim ?? SwimOptions.Lan;
        Blue = World.Create("blue", subnets.Length > 0 ? subnets : ["10.0.0.0/24"]);
        World.AddNode(Number);
        Mind = Boot();
    }

    public World World { get; } = new();

    public NetworkObject Blue { get; }

    public NetworkId BlueId => NetworkId.Parse(Blue.Id);

    public Mind Mind { get; private set; }

    public Instant Now { get; private set; } = new(1_000_000_000);

    /// <summary>What was last written; null: nothing yet.</summary>
    public LocalState? Disk { get; private set; }

    /// <summary>False: what must be persisted waits, as it does while a sync takes its time.</summary>
    public bool DiskAnswers { get; set; } = true;

    /// <summary>What a write fails with.</summary>
    public string? DiskError { get; set; }

    public bool KernelAnswers { get; set; } = true;

    /// <summary>What the kernel refuses, by sandbox.</summary>
    public Dictionary<string, (string Error, bool SandboxGone)> KernelRefuses { get; } = [];

    /// <summary>False: questions stay in <see cref="Asked"/>.</summary>
    public bool ManagerAnswers { get; set; } = true;

    public List<ManagerRequest> Asked { get; } = [];

    public List<Completion> Completions { get; } = [];

    /// <summary>Questions to backends, which are answered by a test alone.</summary>
    public List<HealthProbe> Probes { get; } = [];

    public List<NodeEvent> Events { get; } = [];

    /// <summary>The drains that the managers were to be told of.</summary>
    public List<long> Drains { get; } = [];

    /// <summary>How often names were to be published anew.</summary>
    public int ZoneChanges { get; private set; }

    public EndpointState[] Endpoints => [.. Mind.Endpoints];

    /// <summary>Virtual wall-clock time in milliseconds: the manager's and the users'.</summary>
    private long UnixMs => World.Now;

    /// <summary>Ends this life of the agent, and the other nodes' agents, and begins another with what is on disk.</summary>
    public Mind Boot()
    {
        applied = 0;
        effects.Clear();
        Asked.Clear();
        Probes.Clear();
        peers.Clear();
        Mind = new(
            new()
            {
                Id = new(Number),
                GossipAddress = new(IPAddress.Parse($"192.0.2.{Number}"), 7946),
                Vtep = IPAddress.Parse($"192.0.2.{Number}"),
                UnderlayMtu = 1500,
                BootId = ++boots,
                GatewayPrefix = IPNetwork.Parse("172.31.0.0/27"),
                Swim = swim,
                WallClockOriginUnixMs = UnixMs - (Now.Nanoseconds / 1_000_000),
            },
            Disk?.Clone(),
            new(boots));
        Do((n, now, e) => n.Start(now, e));
        return Mind;
    }

    /// <summary>Brings the node up to the store.</summary>
    public void Assign()
    {
        Assignment assignment = AssignmentBuilder.For(World.Store, new(Number), applied);
        applied = assignment.Version;
        Do((n, now, e) => n.Assign(assignment, now, e));
    }

    public AttachCommand Command(string sandbox, string name = "") => new()
    {
        RequestId = ++lastRequest,
        Network = "blue",
        Sandbox = new(sandbox),
        SandboxText = sandbox,
        Name = name,
        UnixMs = UnixMs,
    };

    public long Attach(AttachCommand command)
    {
        Do((n, now, e) => n.Attach(command, now, e));
        return command.RequestId;
    }

    /// <summary>Attaches and expects that it succeeds.</summary>
    public EndpointState Attached(string sandbox, string? address = null) =>
        Granted(Attach(Command(sandbox) with { Ipv4 = address is null ? null : IPAddress.Parse(address) }));

    public EndpointState Granted(long request)
    {
        Completion answer = Answer(request);
        Assert.Null(answer.Refusal);
        return answer.Endpoint!;
    }

    /// <summary>Attaches and expects that refusal, fit to be shown.</summary>
    public Refusal Refused(AttachCommand command, RefusalKind kind, params string[] fragments) =>
        Refused(Attach(command), kind, fragments);

    public Refusal Refused(long request, RefusalKind kind, params string[] fragments)
    {
        Completion answer = Answer(request);
        Assert.Null(answer.Endpoint);
        return World.Refused<EndpointState>(answer.Refusal!, kind, fragments);
    }

    public long Detach(string endpoint, string network = "", string? sandbox = null)
    {
        long request = ++lastRequest;
        Do((n, now, e) => n.Detach(
            new(request, endpoint, network, sandbox is null ? null : new NamespaceName(sandbox), UnixMs), now, e));
        return request;
    }

    public void Detached(EndpointState endpoint) => Assert.Equal(endpoint.Id, Granted(Detach(endpoint.Id.ToString())).Id);

    public Completion Answer(long request) => Assert.Single(Completions, c => c.RequestId == request);

    public bool IsAnswered(long request) => Completions.Exists(c => c.RequestId == request);

    /// <summary>Lets time pass, for the manager too.</summary>
    public void Sleep(TimeSpan duration)
    {
        Instant end = Now + duration;
        long origin = UnixMs - (Now.Nanoseconds / 1_000_000);
        while (Instant.Min(Mind.NextDeadline, NextPeerDeadline) is var next && next <= end)
        {
            Now = next > Now ? next : Now + TimeSpan.FromMilliseconds(1);
            World.Now = origin + (Now.Nanoseconds / 1_000_000);
            AdvancePeers();
            Do((n, now, e) => n.Advance(now, e));
        }

        Now = end > Now ? end : Now;
        World.Now = origin + (Now.Nanoseconds / 1_000_000);
    }

    /// <summary>The manager decides what was asked and answers.</summary>
    public void AnswerAsked()
    {
        ManagerRequest[] asked = [.. Asked];
        Asked.Clear();
        foreach (ManagerRequest request in asked)
        {
            Answer(request);
        }
    }

    public void Answer(ManagerRequest request)
    {
        (LeaseObject? lease, ReservationObject? reservation, Refusal? refusal) = Decide(request);
        Do((n, now, e) =>
        {
            if (refusal is not null)
            {
                n.Refused(request.RequestId, refusal, now, e);
            }
            else
            {
                n.Granted(request.RequestId, lease, reservation, now, e);
            }
        });
    }

    /// <summary>The manager cannot be asked.</summary>
    public void Unavailable(ManagerRequest request) => Do((n, now, e) => n.Refused(
        request.RequestId, new(RefusalKind.Unavailable, "No manager can be asked.", "The line is down.", "Try again."), now, e));

    /// <summary>What the manager makes of it, whether or not the node ever hears of that.</summary>
    public (LeaseObject? Lease, ReservationObject? Reservation, Refusal? Refusal) Decide(ManagerRequest request)
    {
        string id = World.NodeIdOf(Number);
        switch (request)
        {
            case ManagerRequest.Lease lease:
                Outcome<Proposal<LeaseObject>> leased =
                    World.Intent.LeaseBlock(lease.Network.ToString(), (uint)lease.Segment, lease.Ipv6, id);
                if (leased.IsRefused)
                {
                    return (null, null, leased.Refusal);
                }

                World.Apply(leased.Value.Transaction);
                return (World.State.Leases.Single(l => l.Id == leased.Value.Result.Id), null, null);
            case ManagerRequest.Reserve reserve:
                Outcome<Proposal<ReservationObject>> reserved = World.Intent.ReserveAddress(
                    reserve.Network.ToString(), reserve.Address.ToString(), id, reserve.Endpoint.ToString());
                return (null, reserved.IsRefused ? null : World.Do(reserved), reserved.Refusal);
            case ManagerRequest.Release release:
                return (null, null, Release(release, id));
            default:
                throw new InvariantException("an unknown question");
        }
    }

    public void Do(Action<Mind, Instant, NodeEffects> input)
    {
        input(Mind, Now, effects);
        Perform();
    }

    /// <summary>The kernel confirms now what it did not before.</summary>
    public void Program() => Do((n, now, e) => n.Programmed(n.DataplaneRevision, Failures(), now, e));

    /// <summary>The disk confirms now what it did not before.</summary>
    public void Write()
    {
        if (DiskError is null)
        {
            Disk = Mind.Export();
        }

        Do((n, now, e) => n.Persisted(n.PersistRevision, DiskError, now, e));
    }

    private Refusal? Release(ManagerRequest.Release release, string node)
    {
        Outcome<Proposal<ReservationObject>> released = World.Intent.ReleaseAddress(
            release.Network.ToString(), release.Address.ToString(), node, release.Endpoint.ToString());
        if (!released.IsRefused)
        {
            World.Do(released);
        }

        return released.Refusal;
    }

    private List<EndpointFailure> Failures() =>
    [
        .. Mind.Endpoints.Where(e => KernelRefuses.ContainsKey(e.Sandbox.Value))
            .Select(e => new EndpointFailure(e.Id, KernelRefuses[e.Sandbox.Value].Error, KernelRefuses[e.Sandbox.Value].SandboxGone)),
    ];

    private void Perform()
    {
        bool persist = effects.Persist;
        bool program = effects.DataplaneChanged;
        ManagerRequest[] requests = [.. effects.ManagerRequests];
        Datagram[] datagrams = [.. effects.Gossip.Datagrams.Select(static d => d.Copy())];
        StreamDial[] dials = [.. effects.Gossip.Dials];
        StreamReply[] replies = [.. effects.Gossip.Replies];
        Completions.AddRange(effects.Completions);
        Probes.AddRange(effects.Probes);
        Events.AddRange(effects.Events);
        if (effects.DrainAcknowledged is { } drain)
        {
            Drains.Add(drain);
        }

        ZoneChanges += effects.ZonesChanged ? 1 : 0;
        effects.Clear();
        Asked.AddRange(requests);
        if (persist && DiskAnswers)
        {
            Write();
        }

        Deliver(datagrams, dials, replies);
        if (program && KernelAnswers)
        {
            Program();
        }

        if (ManagerAnswers)
        {
            AnswerAsked();
        }
    }
}

using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Simulation.World;

/// <summary>The store and the rules of intent as they are, behind a line that may be down for some nodes.</summary>
internal sealed class SimManager(SimWorld world)
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(4);

    /// <summary>By then both ends know that a connection carries nothing any more.</summary>
    private static readonly TimeSpan SessionTimeout = TimeSpan.FromSeconds(4);

    private readonly SortedSet<int> unreachable = [];
    private readonly SortedDictionary<int, Session> sessions = [];
    private long lastSession;
    private ulong index;

    /// <summary>The cluster begins with this node; the simulated manager stands for the one that runs on it.</summary>
    public void Bootstrap(SimNode first)
    {
        Prng prng = world.Simulator.Prng;
        ByteString Bytes(int count)
        {
            byte[] bytes = new byte[count];
            prng.Fill(bytes);
            return ByteString.CopyFrom(bytes);
        }

        Commit(Intent.Bootstrap(new()
        {
            ClusterId = "simulated",
            CaCertificate = Bytes(8),
            CaKey = Bytes(8),
            WorkerSecret = Bytes(16),
            ManagerSecret = Bytes(16),
            GossipKey = Bytes(32),
            QuarantineSeconds = world.Options.QuarantineSeconds,
            FirstManager = Describe(first, NodeRole.Manager),
        }));
    }

    public Store Store { get; } = new();

    private Intent Intent => new(Store.State, "", world.Simulator.UnixMs);

    public void Disconnect(int node) => unreachable.Add(node);

    public void ReconnectAll() => unreachable.Clear();

    public void Admit(SimNode node) => Commit(Intent.AddNode(Describe(node, NodeRole.Worker)));

    public bool Remove(SimNode node) => Commit(Intent.RemoveNode(node.Id.ToString(), force: true)) is null;

    /// <summary>False: it is refused.</summary>
    public bool TakeKeyStep(KeyStep step) => Commit(step switch
    {
        KeyStep.Begin => Intent.BeginKeyRotation(NewKey(), "it is old"),
        KeyStep.Use => Intent.UseNewKey(),
        _ => Intent.FinishKeyRotation(),
    }) is null;

    private readonly Prng keys = new(1);

    private byte[] NewKey()
    {
        byte[] key = new byte[32];
        keys.Fill(key);
        return key;
    }

    public bool CreateNetwork(NetworkSpec spec) => Commit(Intent.CreateNetwork(spec)) is null;

    public bool RemoveNetwork(string id) => Commit(Intent.RemoveNetwork(id)) is null;

    public bool CreateService(ServiceSpec spec) => Commit(Intent.CreateService(spec)) is null;

    public bool RemoveService(string id) => Commit(Intent.RemoveService(id)) is null;

    public bool SetAvailability(SimNode node, NodeAvailability wanted) =>
        Commit(Intent.EditNode(node.Id.ToString(), new() { Availability = wanted })) is null;

    public bool IsAcknowledged(SimNode node) => Store.State.Node(node.Id.ToString()) is { } known && Availability.IsAcknowledged(known);

    /// <summary>The node says that a drain of it is acknowledged, until it is heard.</summary>
    public void ConfirmDrain(SimNode node, long drain)
    {
        int life = node.Life;
        world.Simulator.Later(world.Network.Latency(), () =>
        {
            if (node.Life == life && !Reaches(node))
            {
                world.Simulator.Later(CallTimeout, () => ConfirmDrain(node, drain));
            }
            else if (node.Life == life)
            {
                Commit(Intent.ConfirmDrain(node.Id.ToString(), drain));
            }
        });
    }

    public bool Reaches(SimNode node) => !unreachable.Contains(node.Number);

    /// <summary>Brings a node up to the store, as a session does whenever something changed.</summary>
    public void Synchronize(SimNode node)
    {
        if (node.Up && !node.Paused && Reaches(node) && node.AppliedVersion < Store.Version)
        {
            Assignment assignment = AssignmentBuilder.For(Store, node.Id, node.AppliedVersion);
            node.AppliedVersion = assignment.Version;
            node.Deliver((n, now, e) => n.Assign(assignment, now, e));
        }
    }

    /// <summary>
    /// A node's session opens as soon as line and hosts let it; both ends notice some seconds after they no longer do.
    /// The manager's own node tends all of them.
    /// </summary>
    public void Tend(SimNode node)
    {
        SimNode manager = world.Nodes[0];
        foreach (SimNode agent in node == manager ? world.Nodes.Where(n => n != manager) : [node])
        {
            Tend(agent, manager);
        }
    }

    private void Tend(SimNode node, SimNode manager)
    {
        bool carries = node is { Up: true, Paused: false } && manager is { Up: true, Paused: false } && Carries(node, manager);
        if (sessions.TryGetValue(node.Number, out Session? session) && (session.Life != node.Life || session.ManagerLife != manager.Life))
        {
            if (carries || world.Simulator.Now - session.CarriedAt > SessionTimeout)
            {
                Close(node, manager, session);
            }
        }
        else if (session is not null && carries)
        {
            session.CarriedAt = world.Simulator.Now;
        }
        else if (session is not null && world.Simulator.Now - session.CarriedAt > SessionTimeout)
        {
            Close(node, manager, session);
        }
        else if (session is null && carries && manager.AppliedVersion > 0 && node.AppliedVersion > 0)
        {
            Open(node, manager);
        }
    }

    /// <summary>The agent is dead, and its host, where it is up and reached, ends its sessions.</summary>
    public void Ended(SimNode node)
    {
        SimNode manager = world.Nodes[0];
        foreach (SimNode agent in node == manager ? world.Nodes.Where(n => n != manager).ToList() : [node])
        {
            if (sessions.TryGetValue(agent.Number, out Session? session) && Carries(agent, manager) && node.HostUp)
            {
                Close(agent, manager, session);
            }
        }
    }

    private void Open(SimNode node, SimNode manager)
    {
        long number = ++lastSession;
        Session session = new(number, node.Life, manager.Life) { CarriedAt = world.Simulator.Now };
        sessions.Add(node.Number, session);
        world.Simulator.Later(world.Network.Latency(), () => manager.Deliver(
            (n, now, e) => n.AgentSessionOpened(node.Id.ToString(), number, now, e), session.ManagerLife));
        world.Simulator.Later(world.Network.Latency() * 2, () => node.Deliver(
            (n, now, e) => n.ManagerSessionOpened($"{manager.Gossip.Address}:2377", now, e), session.Life));
    }

    /// <summary>Both ends find out, each at its own time, as long as they live.</summary>
    private void Close(SimNode node, SimNode manager, Session session)
    {
        sessions.Remove(node.Number);
        world.Simulator.Later(world.Network.Latency(), () => manager.Deliver(
            (n, _, _) => n.AgentSessionClosed(node.Id.ToString(), session.Number), session.ManagerLife));
        world.Simulator.Later(world.Network.Latency(), () => node.Deliver(
            (n, _, _) => n.ManagerSessionClosed(), session.Life));
    }

    private bool Carries(SimNode node, SimNode other) =>
        Reaches(node) && Reaches(other) && !world.Network.IsCut(node.Number, other.Number) && !world.Network.IsCut(other.Number, node.Number);

    public void Ask(SimNode node, ManagerRequest request)
    {
        int life = node.Life;
        if (!Reaches(node))
        {
            world.Simulator.Later(CallTimeout / 4, () => Unavailable(node, request, life));
            return;
        }

        world.Simulator.Later(world.Network.Latency(), () =>
        {
            (LeaseObject? Lease, ReservationObject? Reservation, Refusal? Refusal) answer = Decide(node, request);
            if (!Reaches(node))
            {
                // Decided, but the answer is lost with the line.
                world.Simulator.Later(CallTimeout, () => Unavailable(node, request, life));
                return;
            }

            world.Simulator.Later(world.Network.Latency(), () => node.Deliver(
                (n, now, e) =>
                {
                    if (answer.Refusal is { } refusal)
                    {
                        n.Refused(request.RequestId, refusal, now, e);
                    }
                    else
                    {
                        n.Granted(request.RequestId, answer.Lease, answer.Reservation, now, e);
                    }
                },
                life));
        });
    }

    private void Unavailable(SimNode node, ManagerRequest request, int life)
    {
        if (request is ManagerRequest.Release)
        {
            world.Simulator.Later(TimeSpan.FromSeconds(2), () =>
            {
                if (node.Life == life && node.Up)
                {
                    Ask(node, request);
                }
            });
            return;
        }

        Refusal refusal = new(RefusalKind.Unavailable, "No manager can be asked.", "The line is down.", "Try again.");
        node.Deliver((n, now, e) => n.Refused(request.RequestId, refusal, now, e), life);
    }

    private (LeaseObject? Lease, ReservationObject? Reservation, Refusal? Refusal) Decide(SimNode node, ManagerRequest request)
    {
        string id = node.Id.ToString();
        switch (request)
        {
            case ManagerRequest.Lease lease:
                Outcome<Proposal<LeaseObject>> leased =
                    Intent.LeaseBlock(lease.Network.ToString(), (uint)lease.Segment, lease.Ipv6, id);
                Refusal? noLease = Commit(leased);
                return (noLease is null ? Store.State.Leases.First(l => l.Id == leased.Value.Result.Id) : null, null, noLease);
            case ManagerRequest.Reserve reserve:
                Outcome<Proposal<ReservationObject>> reserved = Intent.ReserveAddress(
                    reserve.Network.ToString(), reserve.Address.ToString(), id, reserve.Endpoint.ToString());
                Refusal? noAddress = Commit(reserved);
                return (null, noAddress is null ? reserved.Value.Result : null, noAddress);
            case ManagerRequest.Release release:
                return (null, null, Commit(Intent.ReleaseAddress(
                    release.Network.ToString(), release.Address.ToString(), id, release.Endpoint.ToString())));
            default:
                throw new ViolationException($"unknown request {request}");
        }
    }

    private Refusal? Commit<T>(Outcome<Proposal<T>> outcome)
        where T : notnull
    {
        if (outcome.Refusal is { } refusal)
        {
            return refusal;
        }

        Apply(outcome.Value.Transaction);
        return null;
    }

    public void Sweep() => Apply(Intent.SweepQuarantine());

    private void Apply(Transaction transaction)
    {
        if (transaction.Actions.Count > 0)
        {
            Store.Apply(++index, transaction);
        }
    }

    private static NodeObject Describe(SimNode node, NodeRole role) => new()
    {
        Id = node.Id.ToString(),
        Hostname = $"host{node.Number}",
        Role = role,
        GossipAddress = node.Gossip.ToString(),
        DataPathAddress = node.Gossip.Address.ToString(),
        ControlAddress = role == NodeRole.Manager ? $"{node.Gossip.Address}:2377" : "",
        AgentVersion = "1.0",
    };

    private sealed class Session(long number, int life, int managerLife)
    {
        public long Number => number;

        /// <summary>Of the agent: another life knows nothing of this session.</summary>
        public int Life => life;

        public int ManagerLife => managerLife;

        public Instant CarriedAt { get; set; }
    }
}

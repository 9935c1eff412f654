using System.Net;
using Overlay.Dataplane;
using Overlay.Gossip;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Simulation.World;

/// <summary>A machine with an agent: a real node, performed as the agent's loop, reconciler and writer do.</summary>
internal sealed class SimNode(SimWorld world, int number)
{
    public const ulong IdBase = 0x5100_0000_0000_0000;

    public static readonly TimeSpan FlapWindow = TimeSpan.FromSeconds(15);

    private readonly NodeEffects effects = new();
    private readonly Queue<Action> backlog = new();
    private (long Revision, DataplaneInputs Inputs)? wanted;
    private LocalState? disk;
    private long settledRevision = -1;
    private long writtenRevision = -1;
    private bool roundDue;
    private Instant armed = Instant.Never;

    public int Number => number;

    public NodeId Id { get; } = new(IdBase + (ulong)number);

    public IPEndPoint Gossip { get; } = new(new IPAddress([192, 0, 2, (byte)(number + 1)]), 7946);

    public SimHost Host { get; } = new(world, 5);

    public Node.Node? Mind { get; private set; }

    /// <summary>Counts starts: what was under way for a former life is lost.</summary>
    public int Life { get; private set; }

    public bool Up { get; private set; }

    /// <summary>The machine runs, and forwards what its kernel was told, whether or not its agent does.</summary>
    public bool HostUp { get; private set; } = true;

    /// <summary>Null: it was never powered off, or still is.</summary>
    public Instant? HostWasDownUntil { get; private set; }

    public bool Paused { get; private set; }

    /// <summary>It left or was removed for good.</summary>
    public bool Gone { get; private set; }

    public ulong AppliedVersion { get; set; }

    public SortedDictionary<long, Action<ReadOnlyMemory<byte>>> Replies { get; } = [];

    /// <summary>
    /// The endpoints it has: of a running agent those in its mind, else those that its disk remembers. Its kernel may
    /// still forward to them, and its next life will have them.
    /// </summary>
    public IEnumerable<HeldEndpoint> Held => Gone ? []
        : Up ? Mind!.Endpoints.Select(static e => new HeldEndpoint(
            e.Id, e.Network.ToString(), e.Name, e.Mac.ToString(), e.Ipv4?.ToString(), e.Reserved4, e.Ipv6?.ToString(), e.Reserved6))
        : OnDisk;

    public IEnumerable<HeldEndpoint> OnDisk => disk?.Endpoints.Select(static e => new HeldEndpoint(
        EndpointId.Parse(e.Id), e.NetworkId, e.Name, MacAddress.FromBytes(e.Mac.Span).ToString(),
        e.Ipv4.Length > 0 ? e.Ipv4 : null, e.Reserved4, e.Ipv6.Length > 0 ? e.Ipv6 : null, e.Reserved6)) ?? [];

    public void Boot()
    {
        Up = true;
        Life++;
        AppliedVersion = 0;
        settledRevision = -1;
        writtenRevision = -1;
        armed = Instant.Never;
        wanted = null;
        roundDue = false;
        Mind = new(
            new()
            {
                Id = Id,
                GossipAddress = Gossip,
                Vtep = Gossip.Address,
                UnderlayMtu = 1500,
                BootId = (ulong)world.Simulator.UnixMs,
                GatewayPrefix = IPNetwork.Parse("172.31.0.0/24"),
                Swim = SwimOptions.Lan with
                {
                    FlapWindow = FlapWindow,
                    FlapQuiet = TimeSpan.FromSeconds(5),
                    MaxFlapQuiet = TimeSpan.FromSeconds(30),
                },
                LostSandboxTimeout = TimeSpan.FromSeconds(20),
                WallClockOriginUnixMs = Simulator.UnixMsAt(new(0)),
            },
            disk,
            new(world.Simulator.Prng.NextUInt64()));
        Deliver((n, now, e) => n.Start(now, e));
        int life = Life;
        Tick(life, 10_000, RequestRound);
        Tick(life, 500, () => world.Manager.Synchronize(this));
        Tick(life, 500, () => world.Manager.Tend(this));
    }

    public void Crash()
    {
        world.Simulator.Say($"crash {number}");
        if (wanted is { } wish && world.Simulator.Prng.Chance(0.5))
        {
            Plan plan = Host.PlanFor(Desired.For(wish.Inputs));
            Host.Execute(plan, world.Simulator.Prng.Next(plan.Operations.Length + 1));
        }

        Up = false;
        Paused = false;
        Life++;
        backlog.Clear();
        world.Manager.Ended(this);
        world.Safety.Crashed(this);
    }

    /// <summary>The whole machine goes down, and its kernel's state with it.</summary>
    public void PowerOff()
    {
        if (Up)
        {
            Crash();
        }

        world.Simulator.Say($"power off {number}");
        HostUp = false;
        Host.Wipe();
    }

    public void PowerOn()
    {
        HostUp = true;
        HostWasDownUntil = world.Simulator.Now;
        Host.Start();
        Boot();
    }

    public void Retire()
    {
        Up = false;
        Gone = true;
        Life++;
        Host.Wipe();
    }

    public void Pause() => Paused = true;

    public void Resume()
    {
        Paused = false;
        while (backlog.TryDequeue(out Action? action))
        {
            action();
        }
    }

    /// <summary>Hands an input to the node; a paused one gets it later, a dead one or one of another life never.</summary>
    public void Deliver(Action<Node.Node, Instant, NodeEffects> input, int? life = null)
    {
        if (!Up || (life is { } wantedLife && wantedLife != Life))
        {
            return;
        }

        if (Paused)
        {
            if (backlog.Count < 2000)
            {
                backlog.Enqueue(() => Deliver(input, life));
            }

            return;
        }

        input(Mind!, world.Simulator.Now, effects);
        Perform();
    }

    private void Perform()
    {
        bool changed = effects.Persist || effects.DataplaneChanged;
        if (effects.Persist)
        {
            Write(Mind!.PersistRevision, Mind.Export());
        }

        effects.Gossip.Datagrams.ForEach(d => world.Network.Send(this, d));
        effects.Gossip.Dials.ForEach(d => world.Network.Dial(this, d));
        foreach (StreamReply reply in effects.Gossip.Replies)
        {
            if (Replies.TryGetValue(reply.ExchangeId, out Action<ReadOnlyMemory<byte>>? answer))
            {
                answer(reply.Response);
            }
        }

        effects.ManagerRequests.ForEach(r => world.Manager.Ask(this, r));
        if (effects.DataplaneChanged)
        {
            wanted = (Mind!.DataplaneRevision, Mind.Inputs());
            RequestRound();
        }

        if (effects.DrainAcknowledged is { } drain)
        {
            world.Manager.ConfirmDrain(this, drain);
        }

        effects.Probes.ForEach(Examine);
        foreach (Completion completion in effects.Completions)
        {
            world.Simulator.Say($"{number} answers {completion.RequestId}: {completion.Endpoint?.Ipv4} {completion.Refusal?.Kind}");
            world.Safety.Completed(this, completion);
        }

        foreach (NodeEvent happened in effects.Events)
        {
            world.Simulator.Say($"{number} {happened}");
            if (happened is NodeEvent.HealthChanged changedHealth)
            {
                world.Simulator.Counters.Add($"backend {(changedHealth.Health.Length > 0 ? changedHealth.Health : "unchecked")}");
            }

            if (happened is NodeEvent.Judged judged)
            {
                world.Simulator.Counters.Add("fused verdict");
                world.Safety.Judged(this, judged.Member);
            }

            if (happened is NodeEvent.MemberChanged { Status: "agent-down" })
            {
                world.Simulator.Counters.Add("agent down, host up");
            }
        }

        effects.Clear();
        if (changed)
        {
            world.Safety.Check();
        }

        Arm();
    }

    /// <summary>A backend is asked: it answers soon, or its time runs out; at times it seems ill and is not.</summary>
    private void Examine(HealthProbe probe)
    {
        int life = Life;
        bool hangs = world.Simulator.Prng.Chance(0.1);
        world.Simulator.Later(hangs ? probe.Timeout : world.Simulator.Ms(1, 50), Tell);

        void Tell()
        {
            if (life != Life)
            {
                return;
            }

            if (Paused)
            {
                // Unlike packets, what a program said is not lost while the agent stands still.
                world.Simulator.Later(TimeSpan.FromMilliseconds(100), Tell);
                return;
            }

            bool seems = !world.Healed && world.Simulator.Prng.Chance(0.05);
            string? fault = Host.Ill.Contains(probe.Sandbox) || seems ? hangs ? "no answer" : "refused" : null;
            world.Simulator.Counters.Add(fault is null ? "check ok" : "check failed");
            Deliver((n, now, e) => n.HealthTold(probe.Endpoint, probe.Question, fault, now, e), life);
        }
    }

    private void Arm()
    {
        Instant due = Mind!.NextDeadline;
        if (due == Instant.Never || due >= armed)
        {
            return;
        }

        armed = due;
        int life = Life;
        TimeSpan wait = due > world.Simulator.Now ? due - world.Simulator.Now : TimeSpan.Zero;
        world.Simulator.Later(wait + TimeSpan.FromMicroseconds(1), () =>
        {
            if (life == Life && armed == due)
            {
                armed = Instant.Never;
                Deliver((n, now, e) => n.Advance(now, e), life);
            }
        });
    }

    private void Write(long revision, LocalState state)
    {
        int life = Life;
        world.Simulator.Later(world.Simulator.Ms(1, 40), () =>
        {
            // An older state never replaces a newer one: the writer has one thread.
            if (life == Life && revision >= writtenRevision)
            {
                writtenRevision = revision;
                disk = state;
                Deliver((n, now, e) => n.Persisted(revision, null, now, e), life);
            }
        });
    }

    private void RequestRound() => RequestRound(world.Simulator.Ms(1, 20));

    private void RequestRound(TimeSpan wait)
    {
        if (roundDue)
        {
            return;
        }

        roundDue = true;
        int life = Life;
        world.Simulator.Later(wait, () =>
        {
            if (life == Life)
            {
                roundDue = false;
                Round(life);
            }
        });
    }

    private void Round(int life)
    {
        if (wanted is not { } wish || Paused)
        {
            return;
        }

        Plan plan = Host.PlanFor(Desired.For(wish.Inputs));
        List<OperationResult> failed = Host.Execute(plan);
        if (settledRevision == wish.Revision && plan.Operations.Length > 0)
        {
            world.Simulator.Counters.Add("drift repaired");
        }

        settledRevision = failed.Count == 0 ? wish.Revision : settledRevision;
        if (failed.Count > 0)
        {
            RequestRound(TimeSpan.FromMilliseconds(300));
        }

        List<EndpointFailure> failures = [];
        foreach (LocalEndpoint endpoint in wish.Inputs.Endpoints)
        {
            if (plan.Unreachable.Contains(endpoint.Sandbox))
            {
                failures.Add(new(endpoint.Id, "the namespace does not exist", SandboxGone: true));
            }
            else if (failed.Find(f => f.Operation.Namespace == endpoint.Sandbox) is { } failure)
            {
                failures.Add(new(endpoint.Id, failure.Error ?? "", SandboxGone: false));
            }
        }

        Deliver((n, now, e) => n.Programmed(wish.Revision, failures, now, e), life);
    }

    private void Tick(int life, int milliseconds, Action action) =>
        world.Simulator.Later(TimeSpan.FromMilliseconds(milliseconds), () =>
        {
            if (life == Life)
            {
                action();
                Tick(life, milliseconds, action);
            }
        });
}

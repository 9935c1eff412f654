using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Manager.Replication;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Secrecy;
using Overlay.Raft.Wire;

namespace Overlay.Simulation.Whole;

/// <summary>
/// A place where a manager lives: its disk for as long as that is not wiped, and while it is up the agent's own store, engine
/// and log, given a simulated disk, network and time.
/// </summary>
#pragma warning disable CA1001 // What it has holds nothing.
internal sealed partial class WholeNode
#pragma warning restore CA1001
{
    private static readonly Instruments Instruments = new();

    private readonly Prng prng;
    private readonly Prng secrets;
    private readonly SimTime time;
    private List<DataKey> keys = [];
    private MonotonicClock clock;
    private LogStore? log;
    private SimLogThread? writer;
    private long turnAt = long.MaxValue;

    public WholeNode(WholeWorld world, int slot, double drift)
    {
        World = world;
        Slot = slot;
        prng = world.Stream(100 + (ulong)slot);
        secrets = world.Stream(150 + (ulong)slot);
        time = new(world, drift);
        clock = new(time);
        Id = new((ulong)slot + 1);
        Disk = new(world.Stream(200 + (ulong)slot));
        NewKey();
    }

    public WholeWorld World { get; }

    public int Slot { get; }

    /// <summary>Another one after each loss of the disk.</summary>
    public MemberId Id { get; private set; }

    public SimDisk Disk { get; private set; }

    public DurableLog Durable { get; private set; } = new();

    public ManagerLoop? Loop { get; private set; }

    public RaftCore? Core => Loop?.Engine.Core;

    /// <summary>Counts starts, ends and wipes.</summary>
    public int Life { get; private set; }

    public long PausedUntil { get; set; }

    public long SlowDiskUntil { get; set; }

    /// <summary>Its disk has changed by itself.</summary>
    public bool HasDecayed { get; set; }

    /// <summary>It was in the middle of this write when it ended.</summary>
    public LogWrite? InFlight { get; set; }

    /// <summary>Its disk is lost: it comes back as another member.</summary>
    public bool IsLost { get; private set; }

    public ulong SeenTerm { get; set; }

    public ulong SeenCommit { get; set; }

    public ulong SeenApplied { get; set; }

    public bool SeenLeading { get; set; }

    public Configuration SeenConfiguration { get; set; } = Configuration.Empty;

    public bool IsUp => Loop is not null;

    public bool IsLeading => Core is { Role: RaftRole.Leader };

    public LogOptions OptionsOfLog => new()
    {
        Limits = World.Swarm.Limits,
        Identity = new(Beginning.ClusterId, Id),
        Keys = World.Swarm.Encrypted ? new(new(Beginning.ClusterId, Id), [.. keys]) : null,
        AllowDamage = true,
        Random = bytes => secrets.Fill(bytes),
    };

    public static int SlotOf(MemberId member) => (int)((member.Value - 1) & 255);

    public void Later(long delay, Action action)
    {
        int life = Life;
        World.Later(delay, () => Happen(life, action));
    }

    /// <summary>Something came in: a turn is due.</summary>
    public void Poke() => TurnAt(World.Now + 1 + (1000L * prng.Next(100)));

    public void Deliver(MemberId to, byte[] bytes)
    {
        if (Id == to && IsUp)
        {
            Invariant.Holds(RaftMessageCodec.TryRead(bytes, out RaftMessage message), "what was written can be read");
            World.Say(this, $"<- {(World.Trace ? SimLinks.Show(message) : "")}");
            Loop!.Engine.Receive(message);
            Poke();
        }
    }

    public bool DeliverSnapshot(MemberId to, RaftMessage announcement, byte[] bytes)
    {
        bool taken = Id == to && IsUp && Loop!.Engine.ReceiveSnapshot(announcement, bytes);
        if (taken)
        {
            Poke();
        }

        return taken;
    }

    public void Wall(TimeSpan error) => time.WallError = error;

    public void NewKey()
    {
        byte[] secret = new byte[DataKey.Bytes];
        secrets.Fill(secret);
        keys = [new(secret), .. keys];
    }

    public void Say(string text) => World.Say(this, text);

    public override string ToString() => $"n{Slot}/{Id}";

    private void Happen(int life, Action action)
    {
        if (Life != life)
        {
            return;
        }

        if (PausedUntil > World.Now)
        {
            World.Later(PausedUntil - World.Now, () => Happen(life, action));
            return;
        }

        action();
    }

    private void Run(LogRecovery found)
    {
        Repair = null;
        InFlight = null;
        clock = new(time);
        World.Counters.Add(found.Entries.Count > 0 ? WholeSometimes.RestartWithTail : WholeSometimes.RestartFromSnapshot);
        Loop = new(found, log!, new()
        {
            Self = new(Beginning.ClusterId, Id, 1),
            IsFounder = false,
            Clock = clock,
            Prng = new(prng.NextUInt64()),
            Instruments = Instruments,
            Logger = NullLogger<ManagerLoop>.Instance,
            Options = World.Swarm.Options,
            SnapshotEvery = World.Swarm.SnapshotEvery,
            Engine = setup => setup with
            {
                Disk = wake => writer = new(this, setup.Log, wake, prng),
                Beside = static work => work(),
                HasThread = false,
            },
        });
        Loop.Engine.Connect(new SimLinks(this, prng));
        WholeWatch.Started(this);
        Turn(Loop.Engine.Begin);
    }

    private void TurnAt(long at)
    {
        if (at < turnAt)
        {
            turnAt = at;
            int life = Life;
            World.Later(at - World.Now, () =>
            {
                if (Life == life && turnAt == at)
                {
                    turnAt = long.MaxValue;
                    Happen(life, () => Turn(() => Loop!.Engine.Turn()));
                }
            });
        }
    }

    private void Turn(Action turn)
    {
        if (!IsUp)
        {
            return;
        }

        if (IsLeading && writer!.BegunAt < World.Now - WholeSwarm.Second)
        {
            World.Counters.Add(WholeSometimes.HungDisk);
        }

        try
        {
            turn();
        }
        catch (StorageWriteException e)
        {
            World.Counters.Add(Disk.IsFull ? WholeSometimes.DiskFull : WholeSometimes.DiskError);
            Say($"ends: {e.Message}");
            ((IStateMachine)Loop!).End(e);
            Disk.FailChance = 0;
            Disk.Kill();
            Forget();
            StartLater();
            return;
        }
        catch (DivergedException e)
        {
            throw new ViolationException($"{this}: {e.Message}");
        }

        World.Watch.After(this);
        Instant next = Loop!.Engine.NextTurn;
        if (next != Instant.Never)
        {
            TurnAt(Math.Max(World.Now + 1, time.After(next - clock.Now)));
        }
    }

    private void Forget()
    {
        Life++;
        Loop = null;
        Repair = null;
        log = null;
        writer = null;
        turnAt = long.MaxValue;
        crashAtWrite = null;
        SeenLeading = false;
    }
}

using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Raft;

/// <summary>A place where a member lives: its disk for as long as it is not wiped, its core for as long as it is up.</summary>
internal sealed class RaftSimNode(int slot, RaftDisk disk)
{
    public int Slot { get; } = slot;

    /// <summary>Another one after each wipe.</summary>
    public MemberId Id { get; private set; } = new((ulong)slot + 1);

    public RaftDisk Disk { get; private set; } = disk;

    /// <summary>Null: it is down.</summary>
    public RaftCore? Core { get; set; }

    /// <summary>Counts starts, crashes and wipes.</summary>
    public int Life { get; set; }

    public long PausedUntil { get; set; }

    public long SlowDiskUntil { get; set; }

    /// <summary>Its clock's deviation: 0.02 runs two per cent fast.</summary>
    public double Drift { get; set; }

    /// <summary>The earliest timer that is in the queue.</summary>
    public long TimerAt { get; set; } = long.MaxValue;

    /// <summary>What the state machine has applied.</summary>
    public ulong Applied { get; set; }

    /// <summary>What is left to apply of the last batch.</summary>
    public ReadOnlyMemory<LogEntry> Batch { get; set; }

    /// <summary>The state machine takes its time.</summary>
    public bool IsApplying { get; set; }

    public ulong SnapshotAt { get; set; }

    public bool IsSnapshotting { get; set; }

    /// <summary>Snapshots received whole, until the core says to install one.</summary>
    public List<RaftSnapshot> Received { get; } = [];

    /// <summary>Proposals taken here, by index: the term and the client's request.</summary>
    public Dictionary<ulong, (ulong Term, int Client, ulong Request)> Proposed { get; } = [];

    /// <summary>Reads asked here, by context, not answered by the core.</summary>
    public Dictionary<ulong, (int Client, ulong Request)> Asked { get; } = [];

    /// <summary>Reads answered by the core, until this much is applied.</summary>
    public List<(ulong Index, int Client, ulong Request)> Ripe { get; } = [];

    /// <summary>As the last check saw the core.</summary>
    public ulong SeenTerm { get; set; }

    public ulong SeenCommit { get; set; }

    public bool SeenLeading { get; set; }

    public ulong SeenApplied { get; set; }

    public bool IsUp => Core is not null;

    public bool IsLeading => Core is { Role: RaftRole.Leader };

    /// <summary>The node's own clock.</summary>
    public Instant Clock(long now) => new(RaftSwarm.Second + now + (long)(now * Drift));

    /// <summary>When the node's clock will show it, not before <paramref name="now"/>.</summary>
    public long WhenShows(Instant clock, long now) =>
        Math.Max(now, (long)((clock.Nanoseconds - RaftSwarm.Second) / (1 + Drift)) + 1);

    public void Forget()
    {
        Core = null;
        Life++;
        TimerAt = long.MaxValue;
        IsSnapshotting = false;
        IsApplying = false;
        Batch = default;
        Received.Clear();
        Proposed.Clear();
        Asked.Clear();
        Ripe.Clear();
        SeenLeading = false;
    }

    public void Wipe(RaftSnapshot origin)
    {
        Forget();
        Id = new(Id.Value + 256);
        Disk = new(origin);
        SeenTerm = 0;
        SeenCommit = 0;
        SeenApplied = 0;
    }

    public override string ToString() => $"n{Slot}";
}

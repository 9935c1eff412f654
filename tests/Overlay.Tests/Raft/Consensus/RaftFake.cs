using System.Text;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>A member with everything around its core: a disk, a state machine, snapshots. All by hand or by itself.</summary>
internal sealed class RaftFake
{
    private readonly RaftRig rig;
    private readonly RaftEffects effects = new();
    private readonly SortedDictionary<ulong, (SnapshotMark Mark, Configuration Configuration, string[] State)> snapshots = [];
    private readonly Dictionary<SnapshotMark, (SnapshotMark Mark, Configuration Configuration, string[] State)> received = [];

    public RaftFake(RaftRig rig, MemberId id, RaftRecovered found, RaftOptions options)
    {
        this.rig = rig;
        Id = id;
        Options = options;
        DiskState = found.State;
        DiskSnapshot = found.Snapshot;
        Disk = [.. found.Entries];
        snapshots[found.Snapshot.Index] = (found.Snapshot, found.Configuration, []);
        Core = new(options, id, found, new(rig.Seed + id.Value), rig.Now);
    }

    public MemberId Id { get; }

    public RaftOptions Options { get; set; }

    public RaftCore Core { get; private set; }

    public HardState DiskState { get; private set; }

    public SnapshotMark DiskSnapshot { get; private set; }

    public List<LogEntry> Disk { get; private set; }

    /// <summary>Writes that are not completed.</summary>
    public Queue<LogWrite> Writes { get; } = [];

    public ApplyBatch? Open { get; private set; }

    public SnapshotMark? Restoring { get; private set; }

    /// <summary>Data of everything applied, in order.</summary>
    public List<string> State { get; private set; } = [];

    public ulong StateIndex { get; private set; }

    /// <summary>Of every entry applied in this life.</summary>
    public List<LogEntry> Applied { get; } = [];

    public List<ReadResult> Reads { get; } = [];

    public List<Divergence> Diverged { get; } = [];

    public bool CompletesWrites { get; set; } = true;

    public bool Applies { get; set; } = true;

    /// <summary>What it adds to its hash, to have another state than the others.</summary>
    public ulong Corruption { get; set; }

    public void Receive(in RaftMessage message)
    {
        if (message.Kind == MessageKind.InstallSnapshot && Core.WantsSnapshot(message.Snapshot))
        {
            received[message.Snapshot] = rig.Bytes(message);
        }

        Core.Receive(message, rig.Now, effects);
        Settle();
    }

    public void Advance()
    {
        Core.Advance(rig.Now, effects);
        Settle();
    }

    public void Campaign()
    {
        Core.Campaign(rig.Now, effects);
        Settle();
    }

    public ProposeOutcome Propose(string data, bool settle = true)
    {
        ProposeOutcome outcome = Core.Propose(Encoding.UTF8.GetBytes(data));
        if (settle)
        {
            Settle();
        }

        return outcome;
    }

    public ProposeOutcome Change(params ReadOnlySpan<MemberChange> changes) => Change(ChangeMode.Auto, changes);

    public ProposeOutcome Change(ChangeMode mode, params ReadOnlySpan<MemberChange> changes)
    {
        ProposeOutcome outcome = Core.ProposeConfiguration(changes, mode);
        Settle();
        return outcome;
    }

    public void Do(Action<RaftCore, Instant, RaftEffects> action)
    {
        action(Core, rig.Now, effects);
        Settle();
    }

    public bool TransferTo(ulong member)
    {
        bool begun = Core.TransferTo(new(member), rig.Now, effects);
        Settle();
        return begun;
    }

    public void Read(ulong context)
    {
        Core.Read(context, rig.Now, effects);
        Settle();
    }

    public void CompleteWrite()
    {
        LogWrite write = Writes.Dequeue();
        Persist(write);
        Core.Completed(write.Number, rig.Now, effects);
        Settle();
    }

    public void ApplyOpen()
    {
        if (Restoring is { } mark)
        {
            State = [.. snapshots[mark.Index].State];
            StateIndex = mark.Index;
            Restoring = null;
            Core.Applied(mark.Index, Hash(), rig.Now, effects);
        }
        else if (Open is { } batch)
        {
            Open = null;
            foreach (LogEntry entry in batch.Entries.ToArray())
            {
                Assert.Equal(StateIndex + 1, entry.Index);
                State.Add(entry.Kind == EntryKind.Data ? Encoding.UTF8.GetString(entry.Data.Span) : "");
                StateIndex = entry.Index;
                Applied.Add(entry);
                Core.Applied(entry.Index, Hash(), rig.Now, effects);
            }
        }

        Settle();
    }

    /// <summary>A snapshot of what is applied; the log is kept from an index on.</summary>
    public void Compact(ulong keepFrom)
    {
        SnapshotMark mark = new(StateIndex, Core.TermAt(StateIndex));
        snapshots[mark.Index] = (mark, Core.Configuration, [.. State]);
        DiskSnapshot = mark;
        Core.Compact(mark, keepFrom);
        Disk = [.. Disk.Where(entry => entry.Index >= keepFrom)];
    }

    /// <summary>As a disk would be that did not keep which change of members is committed.</summary>
    public void ForgetChange() => DiskState = DiskState with { Committed = 0 };

    /// <summary>Everything that was not completed is gone.</summary>
    public void Restart()
    {
        Writes.Clear();
        Open = null;
        Restoring = null;
        Applied.Clear();
        (SnapshotMark Mark, Configuration Configuration, string[] State) from = snapshots[DiskSnapshot.Index];
        State = [.. from.State];
        StateIndex = from.Mark.Index;
        effects.Clear();
        RaftRecovered found = new()
        {
            State = DiskState,
            Snapshot = from.Mark,
            Configuration = from.Configuration,
            Entries = Disk,
            Applied = StateIndex,
        };
        Core = new(Options, Id, found, new(rig.Seed + Id.Value + 1000), rig.Now);
    }

    public (SnapshotMark Mark, Configuration Configuration, string[] State) SnapshotAt(ulong index) => snapshots[index];

    public override string ToString() =>
        $"{Id} {Core.Role} term {Core.Term} log {string.Join(' ', LogTerms())} commit {Core.CommitIndex}";

    /// <summary>Terms of the log, from the first entry that is there.</summary>
    public IEnumerable<ulong> LogTerms()
    {
        for (ulong index = Core.FirstIndex; index <= Core.LastIndex; index++)
        {
            yield return Core.TermAt(index);
        }
    }

    /// <summary>Performs effects; what it does by itself it does until nothing is left.</summary>
    public void Settle()
    {
        do
        {
            Core.Advance(rig.Now, effects);
            Perform();
            while (CompletesWrites && Writes.TryDequeue(out LogWrite write))
            {
                Persist(write);
                Core.Completed(write.Number, rig.Now, effects);
            }

            if (Applies && (Open is not null || Restoring is not null))
            {
                ApplyOpen();
            }
        }
        while (!effects.IsEmpty || Core.NextDeadline <= rig.Now);
    }

    private void Perform()
    {
        rig.Tell(this, effects);
        foreach (LogWrite write in effects.Writes)
        {
            Writes.Enqueue(write);
        }

        foreach (RaftMessage message in effects.Messages)
        {
            rig.Post(message.Detached());
        }

        foreach (RaftMessage message in effects.SnapshotsWanted)
        {
            rig.Post(message);
        }

        Open = effects.Apply ?? Open;
        Restoring = effects.Restore ?? Restoring;
        Reads.AddRange(effects.Reads);
        Diverged.AddRange(effects.Diverged);
        effects.Clear();
    }

    private void Persist(in LogWrite write)
    {
        DiskState = write.State ?? DiskState;
        if (write.Install is { } mark)
        {
            snapshots[mark.Index] = received[mark];
            DiskSnapshot = mark;
            Disk.Clear();
        }

        if (write.TruncateFrom != 0)
        {
            Disk.RemoveAll(Behind(write.TruncateFrom));
        }

        foreach (LogEntry entry in write.Entries.Span)
        {
            Assert.Equal(Disk.Count == 0 ? DiskSnapshot.Index + 1 : Disk[^1].Index + 1, entry.Index);
            Disk.Add(entry);
        }
    }

    private static Predicate<LogEntry> Behind(ulong from) => entry => entry.Index >= from;

    private ulong Hash()
    {
        ulong hash = Corruption;
        foreach (string data in State)
        {
            foreach (char c in data)
            {
                hash = (hash * 1099511628211) + c + 1;
            }
        }

        return hash;
    }
}

using Overlay.Daemon.Manager.Replication;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Whole;

/// <summary>
/// The thread that writes the log, in virtual time: one job after the other, each done at the end of the time it takes. A
/// crash in between runs the job up to a random operation of the disk.
/// </summary>
internal sealed class SimLogThread(WholeNode node, LogStore log, Action wake, Prng prng) : ILogThread
{
    private readonly Queue<Job> jobs = new();
    private readonly WholeWorld world = node.World;

    public ulong Completed { get; private set; }

    public Exception? Failure { get; private set; }

    public bool IsBusy => jobs.Count > 0;

    /// <summary>When the job under way was begun.</summary>
    public long BegunAt { get; private set; } = long.MaxValue;

    public void Write(in LogWrite write, LogSnapshot? received)
    {
        world.Watch.Write(node, write);
        Add(new(write, received, null));
    }

    public void Save(LogSnapshot snapshot, Action<bool> done) => Add(new(null, snapshot, done));

    public void Pass(Action done) => Add(new(null, null, _ => done()));

    public string? Shortage(long needed = 0) => log.Shortage(needed);

    public void Dispose()
    {
        // As of a process that ends in order: everything that was asked for is done.
        while (Failure is null && jobs.TryDequeue(out Job job))
        {
            Perform(job);
        }
    }

    /// <summary>The process or the machine ends: the job under way may have come to any point.</summary>
    public void Crash()
    {
        if (Failure is not null || !jobs.TryDequeue(out Job job) || prng.Chance(0.2))
        {
            return;
        }

        node.Disk.Fuse = prng.Next(prng.Chance(0.5) ? 8 : 40);
        world.Counters.Add(job.Write is null ? WholeSometimes.CrashInsideSnapshot
            : job.Snapshot is not null ? WholeSometimes.CrashInsideInstall : WholeSometimes.CrashInsideWrite);
        Perform(job);
    }

    private void Add(Job job)
    {
        jobs.Enqueue(job);
        if (jobs.Count == 1)
        {
            Begin();
        }
    }

    private void Begin()
    {
        BegunAt = world.Now;
        long most = world.IsCalm ? Math.Min(world.Swarm.DiskMax, 2 * WholeSwarm.Millisecond) : world.Swarm.DiskMax;
        long delay = (long)(most * (0.05 + (0.95 * prng.NextDouble())));
        if (node.SlowDiskUntil > world.Now)
        {
            delay += (long)((node.SlowDiskUntil - world.Now) * prng.NextDouble());
        }

        node.Writing(delay);
        node.Later(delay, Done);
    }

    private void Done()
    {
        BegunAt = long.MaxValue;
        if (Failure is not null || !jobs.TryDequeue(out Job job))
        {
            return;
        }

        Perform(job);
        wake();
        node.Poke();
        if (Failure is null && jobs.Count > 0)
        {
            Begin();
        }
        else if (Failure is null && log.IsUnsettled)
        {
            ulong at = Completed;
            node.Later(WholeSwarm.Second, () => Settle(at));
        }
    }

    private void Settle(ulong at)
    {
        if (Failure is null && jobs.Count == 0 && Completed == at)
        {
            Guarded(log.Settle);
        }
    }

    private void Perform(Job job) => Guarded(() =>
    {
        if (job.Write is { } write)
        {
            node.InFlight = write;
            log.Write(write, job.Snapshot);
            node.InFlight = null;
            node.Durable.Wrote(write);
            Completed = write.Number;
        }
        else
        {
            job.Done!(job.Snapshot is { } snapshot && Save(snapshot));
        }
    });

    private bool Save(LogSnapshot snapshot)
    {
        if (snapshot.Index <= log.SnapshotIndex || log.Shortage(snapshot.Data.Length) is not null)
        {
            return false;
        }

        log.SaveSnapshot(snapshot);
        node.Durable.Saved(snapshot.Mark);
        world.Counters.Add(WholeSometimes.SnapshotTaken);
        return true;
    }

    private void Guarded(Action act)
    {
        try
        {
            act();
        }
        catch (Exception e) when (e is StorageWriteException or SimCrashException)
        {
            Failure = e;
            world.Say(node, $"cannot write: {e.Message}");
        }
    }

    private readonly record struct Job(LogWrite? Write, LogSnapshot? Snapshot, Action<bool>? Done);
}

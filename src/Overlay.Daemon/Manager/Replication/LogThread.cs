using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>
/// The one user of the log on disk: performs a core's writes in order on a thread of its own, and snapshots between them.
/// A failed write ends it; it is never tried again.
/// </summary>
internal sealed partial class LogThread : ILogThread
{
    private static readonly TimeSpan SettleAfter = TimeSpan.FromSeconds(1);

    private readonly LogStore log;
    private readonly TimeProvider time;
    private readonly Instruments instruments;
    private readonly ILogger logger;
    private readonly Action wake;
    private readonly object gate = new();
    private readonly Queue<Job> jobs = new();
    private readonly Thread thread;
    private bool ending;
    private long writes;
    private long writesBefore;
    private ITimer? quiet;
    private bool isTimed;
    private bool isQuiet;
    private ulong completed;
    private volatile Exception? failure;

    public LogThread(LogStore log, TimeProvider time, Instruments instruments, ILogger logger, Action wake)
    {
        this.log = log;
        this.time = time;
        this.instruments = instruments;
        this.logger = logger;
        this.wake = wake;
        thread = new(Run) { Name = "raft-log", IsBackground = true };
        thread.Start();
    }

    /// <summary>The last write that is durable.</summary>
    public ulong Completed => Volatile.Read(ref completed);

    /// <summary>Why no write will complete any more; null: they do.</summary>
    public Exception? Failure => failure;

    /// <param name="received">The snapshot that the write installs.</param>
    public void Write(in LogWrite write, LogSnapshot? received) => Give(new(write, received, null));

    /// <param name="done">Called on this thread: whether it was saved.</param>
    public void Save(LogSnapshot snapshot, Action<bool> done) => Give(new(null, snapshot, done));

    /// <param name="done">Called on this thread when all before is done.</param>
    public void Pass(Action done) => Give(new(null, null, _ => done()));

    public string? Shortage(long needed = 0) => log.Shortage(needed);

    public void Dispose()
    {
        lock (gate)
        {
            ending = true;
            Monitor.Pulse(gate);
        }

        thread.Join();
        quiet?.Dispose();
        log.Dispose();
    }

    private void Run()
    {
        try
        {
            while (Next(out Job job))
            {
                if (job.Write is { } write)
                {
                    long started = Stopwatch.GetTimestamp();
                    log.Write(write, job.Snapshot);
                    instruments.StoreFsyncDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
                    Volatile.Write(ref completed, write.Number);
                    wake();
                }
                else
                {
                    job.Done!(job.Snapshot is { } snapshot && Save(snapshot));
                }
            }
        }
        catch (Exception e)
        {
            // Whatever it is: nobody knows what is on the disk now.
            failure = e;
            wake();
        }
    }

    private bool Save(LogSnapshot snapshot)
    {
        if (snapshot.Index <= log.SnapshotIndex)
        {
            return false;
        }

        if (log.Shortage(snapshot.Data.Length) is { } why)
        {
            // The log goes on without; only its next start takes longer.
            LogNoRoom(why);
            return false;
        }

        log.SaveSnapshot(snapshot);
        return true;
    }

    private void Give(in Job job)
    {
        lock (gate)
        {
            jobs.Enqueue(job);
            if (job.Write is not null)
            {
                writes++;
                isQuiet = false;
            }

            Monitor.Pulse(gate);
        }
    }

    /// <summary>Waits as a thread does: whoever gives a job wakes this one, with nobody in between.</summary>
    /// <returns>False: there will be no more.</returns>
    private bool Next(out Job job)
    {
        while (true)
        {
            lock (gate)
            {
                while (jobs.Count == 0 && !ending && !(isQuiet && log.IsUnsettled))
                {
                    TimeTheQuiet();
                    Monitor.Wait(gate);
                }

                if (!(isQuiet && log.IsUnsettled))
                {
                    return jobs.TryDequeue(out job);
                }
            }

            // Nobody waits for this sync.
            log.Settle();
        }
    }

    private void TimeTheQuiet()
    {
        if (isTimed || !log.IsUnsettled)
        {
            return;
        }

        isTimed = true;
        writesBefore = writes;
        quiet ??= time.CreateTimer(_ => QuietEnds(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        quiet.Change(SettleAfter, Timeout.InfiniteTimeSpan);
    }

    private void QuietEnds()
    {
        lock (gate)
        {
            isTimed = false;
            isQuiet = writes == writesBefore;
            Monitor.Pulse(gate);
        }
    }

    [LoggerMessage(EventId = 703, Level = LogLevel.Warning, Message = "No snapshot was taken: {Why}")]
    private partial void LogNoRoom(string why);

    private readonly record struct Job(LogWrite? Write, LogSnapshot? Snapshot, Action<bool>? Done);
}

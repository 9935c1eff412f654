using System.Diagnostics;
using System.Threading.Channels;
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
internal sealed partial class LogThread : IDisposable
{
    private static readonly TimeSpan SettleAfter = TimeSpan.FromSeconds(1);

    private readonly LogStore log;
    private readonly TimeProvider time;
    private readonly Instruments instruments;
    private readonly ILogger logger;
    private readonly Action wake;
    private readonly Channel<Job> jobs = Channel.CreateUnbounded<Job>(new() { SingleReader = true });
    private readonly Thread thread;
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
    public void Write(in LogWrite write, LogSnapshot? received) => jobs.Writer.TryWrite(new(write, received, null));

    /// <param name="done">Called on this thread: whether it was saved.</param>
    public void Save(LogSnapshot snapshot, Action<bool> done) => jobs.Writer.TryWrite(new(null, snapshot, done));

    /// <param name="done">Called on this thread when all before is done.</param>
    public void Pass(Action done) => jobs.Writer.TryWrite(new(null, null, _ => done()));

    public string? Shortage(long needed = 0) => log.Shortage(needed);

    public void Dispose()
    {
        jobs.Writer.TryComplete();
        thread.Join();
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

    private bool Next(out Job job)
    {
        while (true)
        {
            if (jobs.Reader.TryRead(out job))
            {
                return true;
            }

            // A thread of its own may wait; no task of the pool is held.
            ValueTask<bool> ready = jobs.Reader.WaitToReadAsync();
            if (!(ready.IsCompleted ? ready.Result : WaitAndSettle(ready.AsTask())))
            {
                return false;
            }
        }
    }

    private bool WaitAndSettle(Task<bool> ready)
    {
        if (log.IsUnsettled)
        {
            try
            {
                return ready.WaitAsync(SettleAfter, time).GetAwaiter().GetResult();
            }
            catch (TimeoutException)
            {
                // Nobody waits for this sync.
                log.Settle();
            }
        }

        return ready.GetAwaiter().GetResult();
    }

    [LoggerMessage(EventId = 703, Level = LogLevel.Warning, Message = "No snapshot was taken: {Why}")]
    private partial void LogNoRoom(string why);

    private readonly record struct Job(LogWrite? Write, LogSnapshot? Snapshot, Action<bool>? Done);
}

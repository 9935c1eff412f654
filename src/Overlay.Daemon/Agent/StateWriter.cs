using Overlay.Daemon.Storage;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// Writes the node's state to disk on a thread of its own: a slow disk must not delay a probe. Of several states
/// that wait only the newest is written, and its revision confirms the older ones.
/// </summary>
internal sealed class StateWriter : IDisposable
{
    private readonly string path;
    private readonly Action<long, string?> written;
    private readonly Lock gate = new();
    private readonly SemaphoreSlim signal = new(0);
    private readonly Thread thread;
    private (long Revision, LocalState State)? waiting;
    private volatile bool stopping;

    /// <param name="path">The file that is replaced atomically.</param>
    /// <param name="written">Called with the revision, and null or the reason it could not be written.</param>
    public StateWriter(string path, Action<long, string?> written)
    {
        this.path = path;
        this.written = written;
        thread = new(Run) { Name = "state-writer", IsBackground = true };
        thread.Start();
    }

    public void Write(long revision, LocalState state)
    {
        lock (gate)
        {
            waiting = (revision, state);
        }

        signal.Release();
    }

    /// <summary>Writes what waits, then ends the thread.</summary>
    public void Dispose()
    {
        stopping = true;
        signal.Release();
        thread.Join();
        signal.Dispose();
    }

    private void Run()
    {
        while (true)
        {
            signal.Wait();
            (long Revision, LocalState State)? next;
            lock (gate)
            {
                next = waiting;
                waiting = null;
            }

            if (next is { } work)
            {
                string? error = null;
                try
                {
                    DurableFile.WriteAtomically(path, NodeStateFile.Write(work.State));
                }
                catch (StorageWriteException e)
                {
                    // The node answers whoever waits for this state, and nothing was changed on disk.
                    error = $"{e.File}: {e.Reason}";
                }

                written(work.Revision, error);
            }
            else if (stopping)
            {
                return;
            }
        }
    }
}

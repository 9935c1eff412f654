using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>The one user of the log on disk, as <see cref="ConsensusLoop"/> needs it: does in order what it is given.</summary>
internal interface ILogThread : IDisposable
{
    /// <summary>The last write that is durable.</summary>
    ulong Completed { get; }

    /// <summary>Why no write will complete any more; null: they do.</summary>
    Exception? Failure { get; }

    /// <param name="received">The snapshot that the write installs.</param>
    void Write(in LogWrite write, LogSnapshot? received);

    /// <param name="done">Called by whoever writes: whether it was saved.</param>
    void Save(LogSnapshot snapshot, Action<bool> done);

    /// <param name="done">Called by whoever writes when all before is done.</param>
    void Pass(Action done);

    /// <summary>Why nothing should be written now, as a sentence; null: there is room.</summary>
    string? Shortage(long needed = 0);
}

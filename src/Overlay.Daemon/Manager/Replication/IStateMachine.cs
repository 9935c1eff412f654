using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>What a log is agreed on for. All calls come from the engine's one thread; whatever is thrown ends the engine.</summary>
internal interface IStateMachine
{
    /// <summary>Of the state after the last entry; equal on all members that have applied it.</summary>
    ulong Hash { get; }

    /// <summary>How many the state has: a snapshot costs as much.</summary>
    int Objects { get; }

    /// <summary>Nobody waits for anything.</summary>
    bool IsIdle { get; }

    /// <summary>After everything that came in: the moment to propose and to ask for reads.</summary>
    void Turn();

    /// <summary>Role, term or leader are others than before.</summary>
    void RoleChanged(EngineView view);

    /// <summary>The next entry is decided, of whatever kind.</summary>
    void Apply(in LogEntry entry);

    /// <summary>The last of several entries that were decided together; whoever waits may be told.</summary>
    void Applied(ulong index);

    /// <summary>A snapshot takes the place of everything before.</summary>
    void Restore(LogSnapshot snapshot);

    /// <summary>The state as it is; the returned function makes its bytes, on any thread.</summary>
    Func<byte[]> Capture();

    void Answer(in ReadResult read);

    /// <summary>The engine has ended.</summary>
    /// <param name="cause">Null: it was told to.</param>
    void End(Exception? cause);
}

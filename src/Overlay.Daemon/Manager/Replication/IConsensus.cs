using Overlay.Daemon.Manager.Peers;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>
/// What the store needs of an engine that agrees on a log: propose, watch (by <see cref="IStateMachine"/>) and reads that
/// are no older than their question. Ours is <see cref="ConsensusLoop"/>; another one may take its place.
/// </summary>
internal interface IConsensus : IDisposable
{
    /// <summary>As of the last change of role; from any thread.</summary>
    EngineView View { get; }

    QuorumView Quorum { get; }

    /// <summary>Ends with an exception when the engine cannot go on.</summary>
    Task Completion { get; }

    /// <summary>Calls the machine from now on, on a thread of the engine's.</summary>
    void Start(IStateMachine machine);

    /// <summary>Inside a call of the machine only. Decided when the machine is told of an entry with that index.</summary>
    /// <param name="command">Must not change any more.</param>
    ProposeOutcome Propose(ReadOnlyMemory<byte> command);

    /// <summary>Inside a call of the machine only. <see cref="IStateMachine.Answer"/> tells what must be applied first.</summary>
    void Read(ulong context);

    /// <summary>From any thread: <see cref="IStateMachine.Turn"/> is called soon.</summary>
    void Wake();

    /// <summary>All managers as the store knows them; this one may be among them.</summary>
    void Know(IEnumerable<PeerAddress> managers);

    /// <summary>Null: it is not known.</summary>
    PeerAddress? AddressOf(MemberId member);

    /// <summary>Why nothing should be written now, as a sentence; null: there is room.</summary>
    string? Shortage();
}

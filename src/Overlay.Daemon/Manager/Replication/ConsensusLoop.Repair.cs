using Overlay.Daemon.Manager.Peers;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Repair;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>What members that recover get from this one.</summary>
internal sealed partial class ConsensusLoop : IRepairPeer
{
    public Task<RepairReply> AnswerAsync(RepairRequest request, CancellationToken cancellationToken)
    {
        TaskCompletionSource<RepairReply> answered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Tell(() => answered.TrySetResult(Answer(request)));
        return answered.Task.WaitAsync(cancellationToken);
    }

    public async Task<LogSnapshot?> CaptureAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource<Func<LogSnapshot>?> captured = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Tell(() => captured.TrySetResult(lastApplied.Index == 0 ? null : Capture()));
        Func<LogSnapshot>? encode = await captured.Task.WaitAsync(cancellationToken);
        return encode is null ? null : await Task.Run(encode, cancellationToken);
    }

    /// <summary>
    /// On the loop's thread. Only what is durable is told of term and role: else a crash could take back what another's cut
    /// rests on. Without a leader, who would decide, this member goes on in the term that is asked for; it says so when it
    /// is asked again.
    /// </summary>
    internal RepairReply Answer(RepairRequest request)
    {
        ulong term = core.DurableState.Term;
        RepairReply reply = RepairSource.Of(core, request.Asks).Answer(request, term, core.Role == RaftRole.Leader && term == core.Term);
        if (core.Leader.IsNone && core.Role != RaftRole.Leader && core.Term < request.Fence)
        {
            core.Receive(
                new() { Kind = MessageKind.HeartbeatResponse, From = request.From, To = core.Self, Term = request.Fence }, clock.Now, effects);
        }

        return reply;
    }

    /// <summary>On the loop's thread: the state as it is; the returned function makes its bytes, on any thread.</summary>
    internal Func<LogSnapshot> Capture()
    {
        SnapshotMark mark = lastApplied;
        Raft.Configuration members = core.Configuration;
        Func<byte[]> encode = machine.Capture();
        return () => new(mark.Index, mark.Term, encode()) { Configuration = members };
    }
}

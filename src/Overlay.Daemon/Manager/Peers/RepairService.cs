using Grpc.Core;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>Answers to members whose logs are damaged. A manager in the same case serves nothing else.</summary>
internal class RepairService(PeerGate gate, RepairAnswers repairs) : V1.Raft.RaftBase
{
    protected PeerGate Gate => gate;

    public sealed override Task<RepairTold> Repair(RepairQuestion request, ServerCallContext context)
    {
        gate.Judge(request.Hello, context);
        return repairs.AnswerAsync(request, context.CancellationToken);
    }

    public sealed override Task FetchSnapshot(
        SnapshotQuestion request, IServerStreamWriter<SnapshotChunk> responseStream, ServerCallContext context)
    {
        gate.Judge(request.Hello, context);
        return repairs.SendSnapshotAsync(request.Hello, responseStream, context.CancellationToken);
    }
}

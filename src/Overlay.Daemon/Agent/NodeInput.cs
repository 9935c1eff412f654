using System.Net;
using Overlay.Cluster;
using Overlay.Gossip;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>One thing that happened outside, on its way to the node; delivered by the loop that owns the node.</summary>
internal abstract class NodeInput
{
    public abstract void Deliver(Node.Node node, Instant now, NodeEffects effects);
}

internal sealed class StreamInput(long exchangeId, IPEndPoint from, byte[] unit) : NodeInput
{
    public long ExchangeId => exchangeId;

    public IPEndPoint From => from;

    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.ReceiveStream(exchangeId, from, unit, now, effects);
}

internal sealed class StreamCompletedInput(long exchangeId, byte[] unit) : NodeInput
{
    public long ExchangeId => exchangeId;

    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.StreamCompleted(exchangeId, unit, now, effects);
}

internal sealed class StreamFailedInput(long exchangeId, StreamFailure failure) : NodeInput
{
    public StreamFailure Failure => failure;

    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.StreamFailed(exchangeId, failure, now, effects);
}

/// <summary>An agent opened a session with this manager.</summary>
internal sealed class AgentSessionOpenedInput(NodeId agent, long session) : NodeInput
{
    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.AgentSessionOpened(agent.ToString(), session, now, effects);
}

/// <summary>This manager's session with an agent ended.</summary>
internal sealed class AgentSessionClosedInput(NodeId agent, long session) : NodeInput
{
    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.AgentSessionClosed(agent.ToString(), session);
}

/// <summary>This agent's session with the manager at this address is open; null: it has none any more.</summary>
internal sealed class ManagerSessionInput(string? address) : NodeInput
{
    public override void Deliver(Node.Node node, Instant now, NodeEffects effects)
    {
        if (address is null)
        {
            node.ManagerSessionClosed();
        }
        else
        {
            node.ManagerSessionOpened(address, now, effects);
        }
    }
}

internal sealed class AssignmentInput(Assignment assignment) : NodeInput
{
    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.Assign(assignment, now, effects);
}

internal sealed class GrantInput(long requestId, LeaseObject? lease, ReservationObject? reservation, Refusal? refusal)
    : NodeInput
{
    public Refusal? Refusal => refusal;

    public override void Deliver(Node.Node node, Instant now, NodeEffects effects)
    {
        if (refusal is not null)
        {
            node.Refused(requestId, refusal, now, effects);
        }
        else
        {
            node.Granted(requestId, lease, reservation, now, effects);
        }
    }
}

internal sealed class PersistedInput(long revision, string? error) : NodeInput
{
    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.Persisted(revision, error, now, effects);
}

internal sealed class ProgrammedInput(long revision, IReadOnlyList<EndpointFailure> failures) : NodeInput
{
    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.Programmed(revision, failures, now, effects);
}

/// <summary>It was about to leave, and does not.</summary>
internal sealed class StayInput : NodeInput
{
    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) => node.Stay(now, effects);
}

/// <summary>What a backend was found to be; null: well.</summary>
internal sealed class HealthToldInput(EndpointId endpoint, long question, string? fault) : NodeInput
{
    public override void Deliver(Node.Node node, Instant now, NodeEffects effects) =>
        node.HealthTold(endpoint, question, fault, now, effects);
}

/// <summary>Any call of the operator: runs on the node's loop, where the node may be read and changed.</summary>
internal sealed class CallInput<T>(Func<Node.Node, Instant, NodeEffects, T> call) : NodeInput
{
    private readonly TaskCompletionSource<T> result = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Result => result.Task;

    public override void Deliver(Node.Node node, Instant now, NodeEffects effects)
    {
        try
        {
            result.TrySetResult(call(node, now, effects));
        }
        catch (Exception e) when (e is not InvariantException)
        {
            // A refusal in the caller's terms: it belongs to the caller, not to the loop.
            result.TrySetException(e);
        }
    }
}

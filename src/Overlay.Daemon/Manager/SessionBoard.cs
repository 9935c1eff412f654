using Overlay.Primitives;

namespace Overlay.Daemon.Manager;

/// <summary>Where the manager's sessions say that they heard of their agents; whoever judges nodes listens.</summary>
internal sealed class SessionBoard
{
    private volatile Action<NodeId>? heard;
    private volatile Action<NodeId>? closed;

    public void Listen(Action<NodeId> onHeard, Action<NodeId> onClosed)
    {
        heard = onHeard;
        closed = onClosed;
    }

    public void Heard(NodeId node) => heard?.Invoke(node);

    public void Closed(NodeId node) => closed?.Invoke(node);
}

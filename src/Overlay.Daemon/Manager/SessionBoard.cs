using Overlay.Primitives;

namespace Overlay.Daemon.Manager;

/// <summary>Where the manager's sessions say that they began and ended; whoever judges nodes listens.</summary>
internal sealed class SessionBoard
{
    /// <summary>Each asks the manager's one thread, which changes go through as well.</summary>
    private const int MostAssignmentsPerSecond = 5_000;

    private static readonly TimeSpan ShortestPace = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan LongestPace = TimeSpan.FromMilliseconds(100);

    private readonly Lock gate = new();
    private readonly SortedDictionary<long, NodeId> open = [];
    private Action<NodeId, long>? opened;
    private Action<NodeId, long>? closed;
    private long last;

    /// <summary>
    /// How long a session rests behind an assignment: the first change is told at once, a burst of them as few assignments.
    /// </summary>
    public TimeSpan Pace
    {
        get
        {
            lock (gate)
            {
                return TimeSpan.FromTicks(Math.Clamp(
                    open.Count * TimeSpan.TicksPerSecond / MostAssignmentsPerSecond, ShortestPace.Ticks, LongestPace.Ticks));
            }
        }
    }

    /// <summary>Hears of those that are open already, too: agents come back the moment the manager listens.</summary>
    public void Listen(Action<NodeId, long> onOpened, Action<NodeId, long> onClosed)
    {
        lock (gate)
        {
            opened = onOpened;
            closed = onClosed;
            foreach ((long session, NodeId node) in open)
            {
                onOpened(node, session);
            }
        }
    }

    /// <returns>The session's number.</returns>
    public long Opened(NodeId node)
    {
        lock (gate)
        {
            open.Add(++last, node);
            opened?.Invoke(node, last);
            return last;
        }
    }

    public void Closed(long session)
    {
        lock (gate)
        {
            if (open.Remove(session, out NodeId node))
            {
                closed?.Invoke(node, session);
            }
        }
    }
}

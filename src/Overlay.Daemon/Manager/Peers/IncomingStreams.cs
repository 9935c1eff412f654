using Overlay.Raft;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>The streams that others have open here: one of each member and lane, the newest.</summary>
internal sealed class IncomingStreams
{
    private readonly Lock gate = new();
    private readonly Dictionary<(MemberId Member, RaftLane Lane), CancellationTokenSource> open = [];

    /// <summary>Ends the stream that was open before.</summary>
    public void Enter(MemberId member, RaftLane lane, CancellationTokenSource stream)
    {
        CancellationTokenSource? before;
        lock (gate)
        {
            open.Remove((member, lane), out before);
            open.Add((member, lane), stream);
        }

        End(before);
    }

    /// <returns>Whether it was the member's newest: nothing took its place.</returns>
    public bool Exit(MemberId member, RaftLane lane, CancellationTokenSource stream)
    {
        lock (gate)
        {
            return open.TryGetValue((member, lane), out CancellationTokenSource? present) && present == stream
                && open.Remove((member, lane));
        }
    }

    /// <summary>Ends the streams of members that are none any more.</summary>
    public void Cut(Func<MemberId, bool> isMember)
    {
        CancellationTokenSource[] ended;
        lock (gate)
        {
            ended = [.. open.Where(s => !isMember(s.Key.Member)).Select(static s => s.Value)];
        }

        foreach (CancellationTokenSource stream in ended)
        {
            End(stream);
        }
    }

    private static void End(CancellationTokenSource? stream)
    {
        try
        {
            stream?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself meanwhile.
        }
    }
}

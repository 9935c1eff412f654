using Microsoft.Extensions.Logging;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// Has a manager say again which member it is where the store does not have it: one that was demoted and promoted again between two
/// assignments never heard that it was none, and goes on with its log.
/// </summary>
/// <param name="member">The member that runs here; 0: none does.</param>
/// <param name="claim">Begins another session, which begins with the node's description.</param>
internal sealed partial class PlaceClaim(Func<ulong> member, Action claim, TimeProvider time, ILogger<PlaceClaim> logger)
{
    /// <summary>An assignment may be older than what this node said when it began its session.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private volatile NodeObject? told;
    private int waiting;

    private bool IsLost => told is { Role: NodeRole.Manager } stored && member() is not 0 and var own && own != stored.MemberId;

    /// <param name="stored">This node, by the newest assignment.</param>
    public void Hear(NodeObject? stored, CancellationToken cancellationToken)
    {
        told = stored;
        if (IsLost && Interlocked.Exchange(ref waiting, 1) == 0)
        {
            _ = ClaimAsync(cancellationToken);
        }
    }

    private async Task ClaimAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Patience, time, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The membership ends.
            return;
        }
        finally
        {
            Volatile.Write(ref waiting, 0);
        }

        if (IsLost)
        {
            LogClaimed();
            claim();
        }
    }

    [LoggerMessage(EventId = 744, Level = LogLevel.Information, Message = "The managers do not know the log of this one; they are told of it again")]
    private partial void LogClaimed();
}

using Microsoft.Extensions.Logging;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>Whether the cluster was begun anew without this manager.</summary>
internal sealed partial class ConsensusLoop
{
    private ulong supersededBy;

    /// <summary>The later epoch of the cluster's life that another manager is in; 0: none is known.</summary>
    public ulong SupersededBy => Volatile.Read(ref supersededBy);

    public void Superseded(ulong epoch)
    {
        if (epoch > Math.Max(Self.Epoch, SupersededBy))
        {
            Volatile.Write(ref supersededBy, epoch);
            LogSuperseded(epoch, Self.Epoch);
            Wake();
        }
    }

    [LoggerMessage(
        EventId = 752, Level = LogLevel.Error,
        Message = "This manager is superseded: the cluster was begun anew without it, in epoch {Epoch}; here it is {Own}. "
            + "Type `overlayd leave --force` and join again")]
    private partial void LogSuperseded(ulong epoch, ulong own);
}

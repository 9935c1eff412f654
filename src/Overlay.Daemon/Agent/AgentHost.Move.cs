using Microsoft.Extensions.Logging;
using Overlay.Cluster;

namespace Overlay.Daemon.Agent;

/// <summary>
/// An agent that is started with other addresses than its node had: it comes back there, tells the managers by its session,
/// other managers by its connections, and all nodes by gossip.
/// </summary>
internal sealed partial class AgentHost
{
    /// <exception cref="InvalidDataException">The settings name no address of this host.</exception>
    private MembershipRecord Moved(MembershipRecord record)
    {
        string asked = AgentAddresses.AskedIn(services.Settings);
        if (asked.Length == 0 || asked == record.Asked)
        {
            return record;
        }

        Outcome<MembershipRecord> moved = AgentAddresses.Move(services.Settings, record);
        if (moved.Refusal is { } unclear)
        {
            throw new InvalidDataException($"{unclear.Why.TrimEnd('.')}; {unclear.Next.TrimEnd('.')}");
        }

        MembershipRecord next = moved.Value;
        next.Save(services.Settings.StateFolder);
        if ((next.GossipAddress, next.DataPathAddress, next.ControlAddress) != (record.GossipAddress, record.DataPathAddress, record.ControlAddress))
        {
            LogMoved(record.GossipAddress, next.GossipAddress, next.DataPathAddress, next.ControlAddress);
        }

        return next;
    }

    [LoggerMessage(EventId = 815, Level = LogLevel.Warning,
        Message = "This node moves from {Before} to {Now}, with the data path {DataPath} and the manager API {Control}, as its settings say")]
    private partial void LogMoved(string before, string now, string dataPath, string control);
}

namespace Overlay.Daemon.Agent;

/// <summary>Managers of a cluster that was begun anew, where the agent knows only those of before.</summary>
internal sealed partial class Membership
{
    private volatile IReadOnlyList<string> byGossip = [];

    /// <summary>Those that were assigned first. Gossip is asked meanwhile: the next attempt has its answer.</summary>
    private IReadOnlyList<string> ManagersToTry()
    {
        _ = AskGossipAsync();
        IReadOnlyList<string> assigned = managers;
        return [.. assigned, .. byGossip.Except(assigned)];
    }

    private async Task AskGossipAsync()
    {
        try
        {
            byGossip = await loop.ReadAsync<string[]>(static node => [.. node.ManagersByGossip], stopping.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The agent stops.
        }
    }
}

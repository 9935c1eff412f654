using Overlay.Cluster;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>A drain that every node has acknowledged is told to the managers, where the operator who ordered it waits for that.</summary>
internal sealed partial class Membership
{
    public void ConfirmDrain(long drain) => _ = ConfirmDrainAsync(drain);

    private async Task ConfirmDrainAsync(long drain)
    {
        try
        {
            while (await loop.ReadAsync(node => IsPending(node.Intent.Node(node.Id.ToString()), drain), stopping.Token)
                && !await session.ConfirmDrainAsync(drain, stopping.Token))
            {
                await Task.Delay(ConfirmRetry, services.Clock.Time, stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }
    }

    private static bool IsPending(NodeObject? self, long drain) =>
        self is not null && Availability.IsDrained(self) && self.AvailabilityUnixMs == drain && !Availability.IsAcknowledged(self);
}

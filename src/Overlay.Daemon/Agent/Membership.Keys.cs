using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Manager;

namespace Overlay.Daemon.Agent;

/// <summary>The keys of gossip: a node confirms those it goes by, and a manager replaces them.</summary>
internal sealed partial class Membership
{
    private static readonly TimeSpan ConfirmRetry = TimeSpan.FromMilliseconds(250);

    private long lastKeys;

    /// <summary>Tells the manager as soon as the loop has taken the keys of an assignment that is posted already.</summary>
    private async Task ConfirmKeysAsync()
    {
        long mine = Interlocked.Increment(ref lastKeys);
        try
        {
            ulong version = await loop.ReadAsync(static node => node.Intent.Version, stopping.Token);

            // Later keys have a confirmation of their own.
            while (Interlocked.Read(ref lastKeys) == mine && !await session.ConfirmKeysAsync(version, stopping.Token))
            {
                await Task.Delay(ConfirmRetry, services.Clock.Time, stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The agent stops.
        }
    }

    private KeyKeeper KeeperOf(ManagerServer manager) => new(
        manager, loop, Gossip, new KeyRotation(services.Settings.GossipKeyRotation), services.Clock,
        () => RandomNumberGenerator.GetBytes(Limits.GossipKeyBytes), services.Logs.CreateLogger<KeyKeeper>());
}

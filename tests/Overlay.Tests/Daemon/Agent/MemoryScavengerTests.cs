using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Daemon.Agent;

namespace Overlay.Tests.Daemon.Agent;

public sealed class MemoryScavengerTests
{
    private const long Megabyte = 1 << 20;

    private readonly MemoryScavenger scavenger = new(TimeProvider.System, NullLogger<MemoryScavenger>.Instance);

    [Fact]
    public void WaitsUntilTheBurstIsOver()
    {
        Assert.False(scavenger.IsDue(20 * Megabyte));
        Assert.False(scavenger.IsDue(40 * Megabyte));
        Assert.True(scavenger.IsDue(41 * Megabyte));
    }

    [Fact]
    public void DoesNotCollectForTheLittleThatAnIdleAgentAllocates()
    {
        Assert.False(scavenger.IsDue(20 * Megabyte));
        Assert.True(scavenger.IsDue(20 * Megabyte));
        scavenger.Scavenged(25 * Megabyte);
        for (int i = 1; i <= 3; i++)
        {
            Assert.False(scavenger.IsDue((25 + i) * Megabyte));
        }

        Assert.True(scavenger.IsDue(29 * Megabyte));
    }
}

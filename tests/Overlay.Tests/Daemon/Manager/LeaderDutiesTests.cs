using Overlay.Daemon.Manager;

namespace Overlay.Tests.Daemon.Manager;

/// <summary>What the leader must do runs while it leads, and ends when it is told to or cannot go on.</summary>
public sealed class LeaderDutiesTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact(Timeout = 30_000)]
    public async Task They_end_when_they_are_told_to_though_this_manager_still_leads()
    {
        using ManagerRig rig = new();
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Task running = new LeaderDuties(rig.Loop, TimeProvider.System, DutyAsync).RunAsync(stop.Token);
        await begun.Task.WaitAsync(Cancelled);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.True(rig.Loop.Leadership.Leads);

        async Task DutyAsync(CancellationToken ended)
        {
            begun.TrySetResult();
            await Task.Delay(Timeout.Infinite, ended);
        }
    }

    [Fact(Timeout = 30_000)]
    public async Task One_that_fails_fails_them_all()
    {
        using ManagerRig rig = new();
        Task running = new LeaderDuties(rig.Loop, TimeProvider.System, static async _ =>
        {
            await Task.Yield();
            throw new InvalidOperationException("no good");
        }).RunAsync(Cancelled);
        Assert.Equal("no good", (await Assert.ThrowsAsync<InvalidOperationException>(() => running)).Message);
    }

    [Fact(Timeout = 30_000)]
    public async Task After_the_managers_end_nobody_spins()
    {
        ManagerRig rig = new();
        int count = 0;
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Task running = new LeaderDuties(rig.Loop, TimeProvider.System, async ended =>
        {
            Interlocked.Increment(ref count);
            await Task.Delay(Timeout.Infinite, ended);
        }).RunAsync(stop.Token);
        while (Volatile.Read(ref count) == 0)
        {
            await Task.Delay(1, Cancelled);
        }

        Leadership last = rig.Loop.Leadership;
        rig.Dispose();
        await last.Over.WaitAsync(Cancelled);
        Assert.False(last.WaitAsync(stop.Token).IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Equal(1, count);
    }
}

using Overlay.Daemon.Manager;

namespace Overlay.Tests.Daemon.Manager.Replication;

/// <summary>A manager without a leader ends its agents' sessions after a while, and its watch ends when it is told to.</summary>
public sealed class DesertionTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact(Timeout = 60_000)]
    public async Task The_watch_ends_at_once_while_there_is_no_leader()
    {
        await using ManagersRig rig = await ManagersRig.StartAsync(3);
        ManagerHost last = await AloneAsync(rig);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        // Its limit never passes: what ends the watch is the token alone.
        using Desertion desertion = new(last.Loop, new StoppedTime());
        Task watch = desertion.WatchAsync(stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch);
        Assert.False(desertion.Token.IsCancellationRequested);
    }

    [Fact(Timeout = 60_000)]
    public async Task Sessions_end_when_there_has_been_no_leader_for_its_limit()
    {
        await using ManagersRig rig = await ManagersRig.StartAsync(3);
        ManagerHost last = await AloneAsync(rig);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        using Desertion desertion = new(last.Loop, new HastyTime());
        CancellationToken sessions = desertion.Token;
        Task watch = desertion.WatchAsync(stop.Token);
        while (!sessions.IsCancellationRequested)
        {
            await Task.Delay(1, Cancelled);
        }

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch);
    }

    private static async Task<ManagerHost> AloneAsync(ManagersRig rig)
    {
        ManagerHost last = await rig.LeaderAsync();
        foreach (ManagerHost other in rig.Hosts.Where(h => h != last))
        {
            await other.DisposeAsync();
        }

        while (!last.Loop.Leadership.View.Leader.IsNone)
        {
            await Task.Delay(1, Cancelled);
        }

        return last;
    }

    private sealed class StoppedTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private sealed class HastyTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, TimeSpan.FromMilliseconds(1), period);
    }
}

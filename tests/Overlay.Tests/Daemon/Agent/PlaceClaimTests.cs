using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.Tests.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Agent;

public sealed class PlaceClaimTests : IDisposable
{
    private const ulong Member = 77;
    private readonly ManualTime time = new(DateTimeOffset.UnixEpoch);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => time.Dispose();

    [Theory]
    [InlineData(NodeRole.Manager, Member, Member)]
    [InlineData(NodeRole.Manager, 0, 0)]
    [InlineData(NodeRole.Manager, 5, 0)]
    [InlineData(NodeRole.Worker, 0, Member)]
    [InlineData(NodeRole.Worker, 5, Member)]
    public void Nobody_waits_where_the_store_has_it_or_there_is_nothing_to_have(NodeRole role, ulong stored, ulong own)
    {
        PlaceClaim place = Claiming(own, static () => Assert.Fail("nothing is to be said"));
        place.Hear(new() { Role = role, MemberId = stored }, Cancelled);
        place.Hear(null, Cancelled);
        Assert.False(time.PassToNextTimerAsync(Cancelled).IsCompleted);
    }

    [Fact]
    public async Task Who_lost_the_place_says_so_once_and_again_when_that_was_in_vain()
    {
        int said = 0;
        PlaceClaim place = Claiming(Member, () => said++);
        for (int time = 1; time <= 3; time++)
        {
            place.Hear(new() { Role = NodeRole.Manager }, Cancelled);
            place.Hear(new() { Role = NodeRole.Manager, MemberId = 5 }, Cancelled);
            await this.time.PassToNextTimerAsync(Cancelled);
            Assert.Equal(time, said);
        }
    }

    [Fact]
    public async Task An_assignment_that_was_older_than_the_word_is_no_reason()
    {
        PlaceClaim place = Claiming(Member, static () => Assert.Fail("the store has it by now"));
        place.Hear(new() { Role = NodeRole.Manager }, Cancelled);
        place.Hear(new() { Role = NodeRole.Manager, MemberId = Member }, Cancelled);
        await time.PassToNextTimerAsync(Cancelled);
    }

    [Fact]
    public async Task A_manager_that_was_demoted_and_promoted_unseen_has_its_place_again()
    {
        await using TrustCluster cluster = await TrustCluster.StartAsync(Cancelled);
        Outcome<NodeIdentity> joined = await cluster.JoinAsync(cluster.ManagerToken, Cancelled);
        Assert.False(joined.IsRefused, joined.Refusal?.ToString());
        string id = joined.Value.Node.ToString();
        NodeDescription self = TrustCluster.Description();
        self.MemberId = Member;
        PlaceClaim? place = null;
        ManagerSession session = new(
            joined.Value, () => [cluster.Address], () => self,
            (_, cancellationToken) =>
            {
                place!.Hear(cluster.Loop.State.Node(id), cancellationToken);
                return ValueTask.CompletedTask;
            },
            static _ => { }, new Prng(1), TimeProvider.System, cluster.Instruments, cluster.Logs.Factory.CreateLogger<ManagerSession>());
        place = new(static () => Member, session.Reopen, TimeProvider.System, NullLogger<PlaceClaim>.Instance);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Task running = session.RunAsync(stop.Token);
        await HasPlaceAsync(cluster, id);

        await cluster.Loop.ProposeAsync(intent => intent.SetRole(id, NodeRole.Worker), "", Cancelled);
        await cluster.Loop.ProposeAsync(intent => intent.ReleaseMember(id, Member), "", Cancelled);
        await cluster.Loop.ProposeAsync(intent => intent.SetRole(id, NodeRole.Manager), "", Cancelled);
        await HasPlaceAsync(cluster, id);

        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private static async Task HasPlaceAsync(TrustCluster cluster, string id)
    {
        ClusterState state = cluster.Loop.State;
        while (state.Node(id)?.MemberId != Member)
        {
            state = await cluster.Loop.WaitForChangeAsync(state.Version, Cancelled);
        }
    }

    private PlaceClaim Claiming(ulong own, Action claim) => new(() => own, claim, time, NullLogger<PlaceClaim>.Instance);
}

using Overlay.Cluster.Trust;
using Overlay.Daemon.Trust;

namespace Overlay.Tests.Daemon.Trust;

public sealed class BootstrapChallengesTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private readonly ManualTime time = new(Start);

    public void Dispose() => time.Dispose();

    [Fact]
    public void Each_is_new_and_good_once()
    {
        BootstrapChallenges challenges = new(time);
        byte[] first = challenges.Issue()!;
        byte[] second = challenges.Issue()!;
        Assert.Equal(JoinProof.ChallengeBytes, first.Length);
        Assert.NotEqual(first, second);
        Assert.True(challenges.Redeem(first));
        Assert.False(challenges.Redeem(first));
        Assert.True(challenges.Redeem(second));
    }

    [Theory]
    [InlineData(59, true)]
    [InlineData(60, false)]
    [InlineData(3600, false)]
    public void Each_is_good_for_a_minute(int seconds, bool good)
    {
        BootstrapChallenges challenges = new(time);
        byte[] challenge = challenges.Issue()!;
        time.Set(Start.AddSeconds(seconds));
        Assert.Equal(good, challenges.Redeem(challenge));
    }

    [Fact]
    public void What_was_not_issued_is_not_good()
    {
        BootstrapChallenges challenges = new(time);
        byte[] issued = challenges.Issue()!;
        Assert.False(challenges.Redeem([]));
        Assert.False(challenges.Redeem(new byte[JoinProof.ChallengeBytes]));
        Assert.False(challenges.Redeem([.. issued, 0]));
        Assert.True(challenges.Redeem(issued));
    }

    [Fact]
    public void Their_number_is_bounded_and_old_ones_make_room()
    {
        BootstrapChallenges challenges = new(time);
        Assert.All(Enumerable.Range(0, 1024), _ => Assert.NotNull(challenges.Issue()));
        Assert.Null(challenges.Issue());
        time.Set(Start.AddSeconds(60));
        Assert.NotNull(challenges.Issue());
    }
}

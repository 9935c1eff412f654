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
        byte[] first = challenges.Issue();
        byte[] second = challenges.Issue();
        Assert.Equal(JoinProof.ChallengeBytes, first.Length);
        Assert.NotEqual(first, second);
        Assert.True(challenges.Spend(first));
        Assert.False(challenges.Spend(first));
        Assert.True(challenges.Spend(second));
    }

    [Theory]
    [InlineData(59, true)]
    [InlineData(60, false)]
    [InlineData(3600, false)]
    public void Each_is_good_for_a_minute(int seconds, bool good)
    {
        BootstrapChallenges challenges = new(time);
        byte[] challenge = challenges.Issue();
        time.Set(Start.AddSeconds(seconds));
        Assert.Equal(good, challenges.Spend(challenge));
    }

    [Fact]
    public void What_was_not_issued_is_not_good()
    {
        BootstrapChallenges challenges = new(time);
        byte[] issued = challenges.Issue();
        Assert.False(challenges.Spend([]));
        Assert.False(challenges.Spend(new byte[JoinProof.ChallengeBytes]));
        Assert.False(challenges.Spend([.. issued, 0]));
        Assert.True(challenges.Spend(issued));
    }

    [Fact]
    public void To_look_at_one_does_not_use_it_up()
    {
        BootstrapChallenges challenges = new(time);
        byte[] challenge = challenges.Issue();
        Assert.True(challenges.IsOpen(challenge));
        Assert.True(challenges.IsOpen(challenge));
        Assert.True(challenges.Spend(challenge));
        Assert.False(challenges.IsOpen(challenge));
    }

    [Fact]
    public void Changed_in_any_bit_it_is_not_good()
    {
        BootstrapChallenges challenges = new(time);
        byte[] challenge = challenges.Issue();
        for (int bit = 0; bit < challenge.Length * 8; bit++)
        {
            byte[] changed = [.. challenge];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(challenges.IsOpen(changed), $"bit {bit}");
        }
    }

    [Fact]
    public void Another_manager_did_not_give_it() => Assert.False(new BootstrapChallenges(time).IsOpen(new BootstrapChallenges(time).Issue()));

    [Fact]
    public void However_many_strangers_ask_the_first_and_the_last_are_good()
    {
        BootstrapChallenges challenges = new(time);
        byte[] first = challenges.Issue();
        for (int i = 0; i < 100_000; i++)
        {
            challenges.Issue();
        }

        Assert.True(challenges.Spend(challenges.Issue()));
        Assert.True(challenges.Spend(first));
    }

    [Fact]
    public void What_was_used_is_remembered_within_bounds_and_never_good_again()
    {
        BootstrapChallenges challenges = new(time);
        byte[] first = challenges.Issue();
        Assert.True(challenges.Spend(first));
        for (int i = 1; i < 16 * 1024; i++)
        {
            Assert.True(challenges.Spend(challenges.Issue()));
        }

        Assert.False(challenges.Spend(challenges.Issue()));
        time.Set(Start.AddSeconds(60));
        Assert.True(challenges.Spend(challenges.Issue()));
        Assert.False(challenges.Spend(first));
    }
}

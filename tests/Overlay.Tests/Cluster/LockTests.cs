using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.V1;

namespace Overlay.Tests.Cluster;

/// <summary>The key that locks the managers' disks, in the store and as text.</summary>
public sealed class LockTests
{
    private readonly World world = new();

    private static byte[] Key(byte seed) => [.. Enumerable.Range(0, UnlockKey.SecretBytes).Select(i => (byte)(i + seed))];

    [Fact]
    public void It_is_locked_once_rekeyed_and_opened_again()
    {
        Assert.True(world.State.Cluster!.UnlockKey.IsEmpty);
        Refusal refusal = Assert.IsType<Refusal>(world.Intent.RotateUnlockKey(Key(1)).Refusal);
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
        Assert.True(world.Intent.Unlock().Value.IsEmpty);

        world.Do(world.Intent.Lock(Key(1)));
        Assert.Equal(Key(1), world.State.Cluster!.UnlockKey.ToByteArray());
        Outcome<Proposal<ClusterObject>> again = world.Intent.Lock(Key(2));
        Assert.True(again.Value.IsEmpty);
        Assert.Equal(Key(1), again.Value.Result.UnlockKey.ToByteArray());

        world.Do(world.Intent.RotateUnlockKey(Key(3)));
        Assert.Equal(Key(3), world.State.Cluster!.UnlockKey.ToByteArray());
        world.Do(world.Intent.Unlock());
        Assert.True(world.State.Cluster!.UnlockKey.IsEmpty);
    }

    [Fact]
    public void No_node_is_told_of_it()
    {
        world.Do(world.Intent.Lock(Key(1)));
        Assignment told = AssignmentBuilder.For(world.Store, new(1), 0);
        Assert.True(Google.Protobuf.MessageExtensions.ToByteArray(told).AsSpan().IndexOf(Key(1)) < 0);
    }

    [Fact]
    public void As_text_it_reads_back_and_shows_itself_only_when_asked()
    {
        UnlockKey key = UnlockKey.Of(Key(7));
        string text = key.Format();
        Assert.StartsWith("OVKEY-1-", text, StringComparison.Ordinal);
        Assert.True(UnlockKey.Parse($"  {text}\n").Value.Equals(Key(7)));
        Assert.Equal("OVKEY-1-…", key.ToString());
    }

    [Theory]
    [InlineData(null, "empty")]
    [InlineData("  ", "empty")]
    [InlineData("OVTKN-1-abc", "begins with OVKEY-1-")]
    [InlineData("OVKEY-2-abc", "begins with OVKEY-1-")]
    [InlineData("OVKEY-1-abc", "3 characters")]
    [InlineData("OVKEY-1-!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", "a-z and 2-7")]
    public void What_is_no_key_is_refused_in_words_that_do_not_repeat_it(string? text, string words)
    {
        Refusal refusal = Assert.IsType<Refusal>(UnlockKey.Parse(text).Refusal);
        Assert.Equal(RefusalKind.Invalid, refusal.Kind);
        Assert.Contains(words, refusal.Why, StringComparison.Ordinal);
        Assert.DoesNotContain("!!!", refusal.ToString(), StringComparison.Ordinal);
        Assert.Contains("far longer", UnlockKey.Parse(new string('x', 300)).Refusal!.Why, StringComparison.Ordinal);
    }
}

using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Tests.Raft;

public sealed class ConfigurationTests
{
    [Fact]
    public void Bytes_are_these()
    {
        Configuration configuration = new(Ids(2, 1), Ids(1, 3), Ids(5), Ids(3), true);
        Assert.Equal(
            "0101020201010100000000000000020000000000000001000000000000000300000000000000" + "05000000000000000300000000000000",
            Convert.ToHexStringLower(configuration.ToBytes()));
        Assert.Equal("(1 2)&&(1 3) learners=(5) next=(3) autoleave", configuration.ToString());
        Assert.True(Configuration.TryRead(configuration.ToBytes(), out Configuration? read));
        Assert.Equal(configuration, read);
        Assert.Equal(configuration.GetHashCode(), read!.GetHashCode());
    }

    [Fact]
    public void Nobody_is_a_configuration_too()
    {
        Assert.True(Configuration.TryRead(Configuration.Empty.ToBytes(), out Configuration? read));
        Assert.Equal(Configuration.Empty, read);
        Assert.NotEqual(Configuration.OfVoters(new MemberId(1)), read);
    }

    [Fact]
    public void Sets_that_contradict_each_other_are_no_configuration()
    {
        Assert.Throws<InvariantException>(static () => new Configuration([], [], Ids(1), [], false));
        Assert.Throws<InvariantException>(static () => new Configuration(Ids(1), [], Ids(1), [], false));
        Assert.Throws<InvariantException>(static () => new Configuration(Ids(1), Ids(2), Ids(2), [], false));
        Assert.Throws<InvariantException>(static () => new Configuration(Ids(1), [], [], Ids(2), false));
        Assert.Throws<InvariantException>(static () => new Configuration(Ids(1), Ids(1, 2), [], Ids(1), false));
        Assert.Throws<InvariantException>(static () => new Configuration(Ids(1), [], [], [], true));
        Assert.Throws<InvariantException>(static () => new Configuration(Ids(0), [], [], [], false));
        Assert.Throws<InvariantException>(static () => new Configuration(
            Enumerable.Range(1, Configuration.MaxMembers + 1).Select(static i => new MemberId((ulong)i)), [], [], [], false));
    }

    [Fact]
    public void Damaged_bytes_are_refused_or_are_another_sound_configuration()
    {
        Configuration configuration = new(Ids(2, 1), Ids(1, 3), Ids(5), Ids(3), true);
        Prng prng = new(7);
        int refused = 0;
        for (int round = 0; round < 5000; round++)
        {
            byte[] bytes = configuration.ToBytes();
            bytes[prng.Next(bytes.Length)] = (byte)prng.NextUInt64();
            byte[] cut = bytes[..(prng.Chance(0.2) ? prng.Next(bytes.Length) : bytes.Length)];
            if (Configuration.TryRead(cut, out Configuration? read))
            {
                Assert.Equal(cut, read!.ToBytes());
            }
            else
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1000, 4999);
    }

    private static IEnumerable<MemberId> Ids(params ulong[] ids) => ids.Select(static id => new MemberId(id));
}

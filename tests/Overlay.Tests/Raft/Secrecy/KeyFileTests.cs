using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Tests.Raft.Secrecy;

/// <summary>The file of the data keys, open and locked.</summary>
public sealed class KeyFileTests
{
    private static readonly LogIdentity Self = new("c1", new(0xA1));
    private static readonly byte[] Nonce = [.. Enumerable.Range(1, LogKeys.NonceBytes).Select(static i => (byte)i)];
    private static readonly byte[] Unlock = [.. Enumerable.Range(0, DataKey.Bytes).Select(static i => (byte)(i * 7))];

    private static LogKeys Keys() => new(Self, Key(3), Key(9));

    private static DataKey Key(byte seed) => new([.. Enumerable.Range(0, DataKey.Bytes).Select(i => (byte)(i + seed))]);

    [Fact]
    public void Open_or_locked_it_reads_back()
    {
        foreach (byte[] with in (byte[][])[[], Unlock])
        {
            byte[] bytes = KeyFileFormat.Write(Keys(), with, Nonce);
            Assert.Equal(KeyFileVerdict.Open, KeyFileFormat.Read(bytes, Self, with, out LogKeys? read));
            Assert.Equal([.. Keys().Keys.Select(static k => Convert.ToHexString(k.Secret))], read!.Keys.Select(static k => Convert.ToHexString(k.Secret)));
            Assert.Equal(Keys().Current.Id, read.Current.Id);
        }
    }

    [Fact]
    public void Locked_it_shows_nothing_and_opens_with_the_right_key_alone()
    {
        byte[] locked = KeyFileFormat.Write(Keys(), Unlock, Nonce);
        foreach (DataKey key in Keys().Keys)
        {
            Assert.DoesNotContain(Convert.ToHexString(key.Secret), Convert.ToHexString(locked), StringComparison.Ordinal);
        }

        byte[] wrong = [.. Unlock];
        wrong[31] ^= 1;
        foreach (byte[] with in (byte[][])[[], wrong, Unlock[..16]])
        {
            Assert.Equal(KeyFileVerdict.Locked, KeyFileFormat.Read(locked, Self, with, out LogKeys? keys));
            Assert.Null(keys);
        }
    }

    [Fact]
    public void Damage_to_any_byte_a_cut_or_another_member_is_noticed()
    {
        foreach (byte[] with in (byte[][])[[], Unlock])
        {
            byte[] bytes = KeyFileFormat.Write(Keys(), with, Nonce);
            for (int at = 0; at < bytes.Length; at++)
            {
                bytes[at] ^= 0x20;
                Assert.Equal(KeyFileVerdict.Damaged, KeyFileFormat.Read(bytes, Self, with, out _));
                bytes[at] ^= 0x20;
                Assert.Equal(KeyFileVerdict.Damaged, KeyFileFormat.Read(bytes.AsSpan(0, at), Self, with, out _));
            }

            Assert.Equal(KeyFileVerdict.Damaged, KeyFileFormat.Read(bytes, Self with { Cluster = "c2" }, with, out _));
            Assert.Equal(KeyFileVerdict.Damaged, KeyFileFormat.Read(bytes, Self with { Member = new(0xA2) }, with, out _));
        }
    }
}

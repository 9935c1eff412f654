using System.Buffers;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Wire;

namespace Overlay.Tests.Raft.Wire;

public sealed class RaftMessageCodecTests
{
    private static readonly RaftMessage Append = new()
    {
        Kind = MessageKind.Append,
        From = new(0x11),
        To = new(0x22),
        Term = 3,
        LogTerm = 2,
        Index = 7,
        Commit = 6,
        Entries = new LogEntry[] { new(8, 3, EntryKind.Blank, default), new(9, 3, "ab"u8.ToArray()) },
        AppliedIndex = 5,
        StateHash = 0xFEED,
    };

    [Fact]
    public void Bytes_of_an_append_are_these()
    {
        string expected = "78000000" + "01" + "01" + "00" + "00"
            + "1100000000000000" + "2200000000000000" + "0300000000000000" + "0200000000000000" + "0700000000000000"
            + "0600000000000000" + "0000000000000000" + "0000000000000000" + "0500000000000000" + "edfe000000000000"
            + "02000000" + "0300000000000000" + "00" + "00000000" + "0300000000000000" + "01" + "02000000" + "6162";
        Assert.Equal(expected, Convert.ToHexStringLower(Bytes(Append)));
    }

    [Fact]
    public void Every_kind_comes_back_as_it_was()
    {
        foreach (MessageKind kind in Enum.GetValues<MessageKind>().Where(static k => k != MessageKind.None))
        {
            RaftMessage message = Append with
            {
                Kind = kind,
                Reject = (int)kind % 2 == 0,
                Transfer = (int)kind % 3 == 0,
                RejectHint = ulong.MaxValue,
                Context = 1UL << 63,
                Snapshot = kind == MessageKind.InstallSnapshot ? new(40, 2) : default,
                Configuration = kind == MessageKind.InstallSnapshot ? Configuration.OfVoters(new MemberId(1), new MemberId(9)) : null,
            };
            Assert.True(RaftMessageCodec.TryRead(Bytes(message), out RaftMessage read));
            AssertEqual(message, read);
        }
    }

    [Fact]
    public void Messages_lie_behind_each_other_and_share_memory_for_entries()
    {
        byte[] bytes = [.. Bytes(Append), .. Bytes(Append with { Kind = MessageKind.Heartbeat, Entries = default })];
        LogEntry[] entries = [];
        Assert.True(RaftMessageCodec.TryRead(bytes, ref entries, out RaftMessage first, out int consumed));
        AssertEqual(Append, first);
        LogEntry[] same = entries;
        Assert.True(RaftMessageCodec.TryRead(bytes.AsMemory(consumed), ref entries, out RaftMessage second, out int rest));
        Assert.Equal(MessageKind.Heartbeat, second.Kind);
        Assert.Equal(bytes.Length, consumed + rest);
        Assert.Same(same, entries);
        Assert.False(RaftMessageCodec.TryRead(bytes, out _));
    }

    [Fact]
    public void Data_is_not_copied()
    {
        byte[] bytes = Bytes(Append);
        Assert.True(RaftMessageCodec.TryRead(bytes, out RaftMessage read));
        Assert.True(System.Runtime.InteropServices.MemoryMarshal.TryGetArray(read.Entries.Span[1].Data, out ArraySegment<byte> data));
        Assert.Same(bytes, data.Array);
    }

    [Fact]
    public void Cut_or_damaged_bytes_are_refused_or_are_a_message_within_bounds()
    {
        byte[] whole = Bytes(Append with
        {
            Kind = MessageKind.InstallSnapshot,
            Snapshot = new(7, 2),
            Configuration = Configuration.OfVoters(new MemberId(1)),
        });
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.False(RaftMessageCodec.TryRead(whole.AsMemory(0, length), out _));
        }

        Prng prng = new(11);
        int refused = 0;
        for (int round = 0; round < 20000; round++)
        {
            byte[] bytes = [.. whole];
            for (int i = 1 + prng.Next(3); i > 0; i--)
            {
                bytes[prng.Next(bytes.Length)] = prng.Chance(0.3) ? (byte)255 : (byte)prng.NextUInt64();
            }

            if (RaftMessageCodec.TryRead(bytes, out RaftMessage read))
            {
                Assert.Equal(bytes, Bytes(read));
            }
            else
            {
                refused++;
            }
        }

        Assert.InRange(refused, 1000, 19999);
    }

    [Fact]
    public void Reading_into_memory_that_is_there_allocates_nothing()
    {
        byte[] bytes = Bytes(Append);
        LogEntry[] entries = new LogEntry[64];
        Assert.Equal(0, Allocations.Least(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                Assert.True(RaftMessageCodec.TryRead(bytes, ref entries, out _, out _));
            }
        }));
    }

    private static byte[] Bytes(in RaftMessage message)
    {
        ArrayBufferWriter<byte> writer = new();
        RaftMessageCodec.Write(message, writer);
        Assert.Equal(RaftMessageCodec.ByteCount(message), writer.WrittenCount);
        return writer.WrittenSpan.ToArray();
    }

    private static void AssertEqual(in RaftMessage expected, in RaftMessage read)
    {
        Assert.Equal(expected with { Entries = default }, read with { Entries = default });
        Assert.Equal(expected.Entries.Length, read.Entries.Length);
        for (int i = 0; i < read.Entries.Length; i++)
        {
            LogEntry left = expected.Entries.Span[i];
            LogEntry right = read.Entries.Span[i];
            Assert.Equal((left.Index, left.Term, left.Kind), (right.Index, right.Term, right.Kind));
            Assert.True(left.Data.Span.SequenceEqual(right.Data.Span));
        }
    }
}

using System.Buffers;
using System.Buffers.Binary;
using System.Threading.Channels;
using Overlay.Raft.Consensus;
using Overlay.Raft.Wire;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>
/// The bytes of messages that wait for their connection: whoever sends writes them here, whoever owns the connection
/// takes all that wait at once. Two buffers, used in turn; bounded. Whoever sends carries the bytes into the connection
/// himself, where it is idle: a thread that is woken for it first costs more than that.
/// </summary>
internal sealed class PeerOutbox(int limitBytes)
{
    private const int KeptBytes = 4 << 20;

    private readonly Lock gate = new();
    private readonly Channel<bool> news = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true, AllowSynchronousContinuations = true });

    private ArrayBufferWriter<byte> filling = new(16 << 10);
    private ArrayBufferWriter<byte> taken = new(16 << 10);
    private int count;

    /// <returns>False: as much as may wait does so already.</returns>
    public bool TryAdd(in RaftMessage message)
    {
        lock (gate)
        {
            if (filling.WrittenCount >= limitBytes)
            {
                return false;
            }

            RaftMessageCodec.Write(message, filling);
            count++;
        }

        news.Writer.TryWrite(true);
        return true;
    }

    /// <summary>Returns when something waits.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        await news.Reader.WaitToReadAsync(cancellationToken);
        news.Reader.TryRead(out _);
    }

    /// <summary>Everything that waits, one message behind the other; valid until the next call.</summary>
    public ReadOnlyMemory<byte> Take(out int messages)
    {
        lock (gate)
        {
            taken.ResetWrittenCount();
            (filling, taken) = (taken.Capacity > KeptBytes ? new(16 << 10) : taken, filling);
            messages = count;
            count = 0;
            return taken.WrittenMemory;
        }
    }

    /// <summary>How many bytes of whole messages come first: at least one message, and no second beyond the limit.</summary>
    public static int Cut(ReadOnlySpan<byte> messages, int limit)
    {
        int length = 0;
        while (length < messages.Length)
        {
            int next = BinaryPrimitives.ReadInt32LittleEndian(messages[length..]);
            if (length > 0 && length + next > limit)
            {
                break;
            }

            length += next;
        }

        return length;
    }
}

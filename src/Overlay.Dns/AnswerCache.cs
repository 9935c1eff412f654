using System.Buffers.Binary;
using Overlay.Primitives;

namespace Overlay.Dns;

/// <summary>
/// What the host's servers answered, for as long as it may be repeated (RFC 1035 §3.2.1; what is not there: RFC 2308 §5), and
/// longer for the case that none of them answers (RFC 8767). An answer is kept whole and given to the very same question only:
/// name without regard to case, type, flags and EDNS. Bounded in number and bytes; what was not asked for longest goes first.
/// </summary>
internal sealed class AnswerCache(UpstreamOptions options)
{
    private readonly SortedDictionary<byte[], LinkedListNode<CachedAnswer>> answers = new(QuestionKey.Order);

    /// <summary>The one that was asked for last is the first.</summary>
    private readonly LinkedList<CachedAnswer> byUse = [];

    private long bytes;

    public int Count => answers.Count;

    /// <summary>Fresh or stale; null: the question has no answer here.</summary>
    /// <param name="key">Of <see cref="QuestionKey"/>.</param>
    public CachedAnswer? Find(byte[]? key, Instant now)
    {
        if (key is null || !answers.TryGetValue(key, out LinkedListNode<CachedAnswer>? node))
        {
            return null;
        }

        if (now - node.Value.Expires > options.StaleFor)
        {
            Remove(node);
            return null;
        }

        byUse.Remove(node);
        byUse.AddFirst(node);
        return node.Value;
    }

    /// <summary>Keeps an answer, if it may be kept; what was kept for the question before is over in any case.</summary>
    /// <param name="packet">Of a server, for that question.</param>
    public void Keep(byte[]? key, ReadOnlySpan<byte> packet, Instant now)
    {
        if (key is null || options.CacheEntries == 0)
        {
            return;
        }

        if (answers.TryGetValue(key, out LinkedListNode<CachedAnswer>? before))
        {
            Remove(before);
        }

        if (CachedAnswer.Read(key, packet, now, options) is not { } answer)
        {
            return;
        }

        answers.Add(key, byUse.AddFirst(answer));
        bytes += answer.Size;
        while (answers.Count > options.CacheEntries || bytes > options.CacheBytes)
        {
            Remove(byUse.Last!);
        }
    }

    /// <summary>Other servers may know other names.</summary>
    public void Clear()
    {
        answers.Clear();
        byUse.Clear();
        bytes = 0;
    }

    private void Remove(LinkedListNode<CachedAnswer> node)
    {
        answers.Remove(node.Value.Key);
        byUse.Remove(node);
        bytes -= node.Value.Size;
    }
}

/// <summary>One answer and until when it may be repeated.</summary>
internal sealed class CachedAnswer
{
    /// <summary>More is a transfer or a trick, and would push many others out.</summary>
    private const int MaxBytes = 4096;

    /// <summary>What an entry takes beside its bytes, about.</summary>
    private const int Overhead = 200;

    /// <summary>A name of one byte and the fixed part: type, class, TTL and length.</summary>
    private const int FixedPart = 10;

    private readonly byte[] packet;
    private readonly (ushort Offset, uint Seconds)[] ttls;
    private readonly Instant kept;

    private CachedAnswer(byte[] key, byte[] packet, (ushort Offset, uint Seconds)[] ttls, Instant kept, Instant expires)
    {
        Key = key;
        this.packet = packet;
        this.ttls = ttls;
        this.kept = kept;
        Expires = expires;
    }

    public byte[] Key { get; }

    public Instant Expires { get; }

    /// <summary>Until then no server is asked anew, as none answered a moment ago.</summary>
    public Instant RestUntil { get; set; }

    public int Size => packet.Length + Key.Length + (ttls.Length * 8) + Overhead;

    public bool IsFresh(Instant now) => now < Expires;

    /// <summary>Null: it may not be kept.</summary>
    public static CachedAnswer? Read(byte[] key, ReadOnlySpan<byte> packet, Instant now, UpstreamOptions options)
    {
        if (packet.Length is < WireName.HeaderLength or > MaxBytes || BinaryPrimitives.ReadUInt16BigEndian(packet[4..]) != 1
            || (packet[2] & (HeaderFlags.Truncated >> 8)) != 0
            || (ResponseCode)(packet[3] & HeaderFlags.CodeMask) is not (ResponseCode.NoError or ResponseCode.NameError))
        {
            return null;
        }

        List<(ushort Offset, uint Seconds)> ttls = [];
        if (!TryReadTtls(packet, ttls, out uint? negative))
        {
            return null;
        }

        bool isNegative = (packet[3] & HeaderFlags.CodeMask) != 0 || BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) == 0;
        if (ttls.Count == 0 || (isNegative && negative is null))
        {
            return null;
        }

        uint seconds = ttls.Min(static t => t.Seconds);
        TimeSpan life = TimeSpan.FromSeconds(isNegative ? Math.Min(seconds, negative!.Value) : seconds);
        TimeSpan most = isNegative ? options.MaxNegativeTtl : options.MaxTtl;
        life = life < most ? life : most;
        return life <= TimeSpan.Zero ? null : new(key, packet.ToArray(), [.. ttls], now, now + life);
    }

    /// <summary>The answer as a server would give it now: to this question's id and case, with what is left of each TTL.</summary>
    /// <param name="query">A query of the same key.</param>
    /// <param name="stale">The TTL to give when it is no more fresh.</param>
    public byte[] For(ReadOnlySpan<byte> query, int questionEnd, Instant now, TimeSpan stale)
    {
        byte[] answer = [.. packet];
        query[..2].CopyTo(answer);
        query[WireName.HeaderLength..questionEnd].CopyTo(answer.AsSpan(WireName.HeaderLength));
        uint age = (uint)Math.Max(0, (now - kept).TotalSeconds);
        foreach ((ushort offset, uint seconds) in ttls)
        {
            uint left = IsFresh(now) ? seconds - Math.Min(age, seconds) : (uint)stale.TotalSeconds;
            BinaryPrimitives.WriteUInt32BigEndian(answer.AsSpan(offset), left);
        }

        return answer;
    }

    /// <param name="negative">How long it holds that a name, or the type of a name, does not exist (RFC 2308 §5); null: nobody says.</param>
    private static bool TryReadTtls(ReadOnlySpan<byte> packet, List<(ushort Offset, uint Seconds)> ttls, out uint? negative)
    {
        negative = null;
        Span<byte> name = stackalloc byte[WireName.MaxLength];
        int offset = WireName.HeaderLength;
        if (!WireName.TryRead(packet, ref offset, name, out _) || packet.Length - offset < 4)
        {
            return false;
        }

        offset += 4;
        int count = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) + BinaryPrimitives.ReadUInt16BigEndian(packet[8..])
            + BinaryPrimitives.ReadUInt16BigEndian(packet[10..]);
        for (int i = 0; i < count; i++)
        {
            if (!WireName.TryRead(packet, ref offset, name, out _) || packet.Length - offset < FixedPart)
            {
                return false;
            }

            RecordType type = (RecordType)BinaryPrimitives.ReadUInt16BigEndian(packet[offset..]);
            uint seconds = BinaryPrimitives.ReadUInt32BigEndian(packet[(offset + 4)..]);
            int end = offset + FixedPart + BinaryPrimitives.ReadUInt16BigEndian(packet[(offset + 8)..]);
            if (end > packet.Length)
            {
                return false;
            }

            // With the topmost bit set it means zero (RFC 2181 §8).
            seconds = seconds > int.MaxValue ? 0 : seconds;
            if (type == RecordType.Soa && end - offset >= FixedPart + 22)
            {
                negative = Math.Min(seconds, BinaryPrimitives.ReadUInt32BigEndian(packet[(end - 4)..]));
            }

            if (type != RecordType.Opt)
            {
                ttls.Add(((ushort)(offset + 4), seconds));
            }

            offset = end;
        }

        return offset == packet.Length;
    }
}

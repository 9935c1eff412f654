using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dns;

/// <summary>One forwarded question and the servers asked so far.</summary>
internal sealed class PendingQuestion(
    long ticket,
    int client,
    byte[] query,
    int questionEnd,
    ImmutableArray<IPEndPoint> servers,
    bool tcp,
    int udpLimit,
    Instant limit)
{
    private int nextServer;
    private int heldOf;

    public long Ticket => ticket;

    public int Client => client;

    public byte[] Query => query;

    public ImmutableArray<IPEndPoint> Servers => servers;

    public bool Tcp => tcp;

    /// <summary>When the client is told of the failure.</summary>
    public Instant Limit => limit;

    /// <summary>Names the question for others; null: it is this client's alone.</summary>
    public byte[]? Key { get; } = QuestionKey.Of(query, questionEnd);

    /// <summary>Names it together with its way: an answer by UDP may be cut, which no client by TCP expects. Null: as above.</summary>
    public byte[]? Way { get; } = QuestionKey.Of(query, questionEnd) is { } key ? [(byte)(tcp ? 1 : 0), .. key] : null;

    /// <summary>The same question, by the same way, which was asked while this one was under way: it is answered with this one.</summary>
    public List<PendingQuestion> Joined { get; } = [];

    /// <summary>The question that this one is answered with; null: servers are asked for this one.</summary>
    public PendingQuestion? Leader { get; set; }

    /// <summary>Nobody waits for it any more, but others for its answer.</summary>
    public bool IsAbandoned { get; set; }

    /// <summary>An answer beyond its time, for when no server has one.</summary>
    public CachedAnswer? Stale { get; init; }

    /// <summary>What says that there is no such name or type, of a server after one that may still know better.</summary>
    public byte[]? Held { get; private set; }

    /// <summary>When something is to be done, if nothing comes before; never, before the first server was asked.</summary>
    public Instant Due { get; set; } = Instant.Never;

    public int Asked { get; private set; }

    /// <summary>One bit for each server that is not asked again, as it failed or has answered.</summary>
    public int DoneServers { get; set; }

    /// <summary>The last answer that said failure or refusal: relayed if nothing better comes.</summary>
    public byte[]? LastFailure { get; set; }

    /// <summary>The attempts whose sockets are open.</summary>
    public List<Try> Attempts { get; } = [];

    public int NextServer()
    {
        while ((DoneServers & (1 << nextServer)) != 0)
        {
            nextServer = (nextServer + 1) % servers.Length;
        }

        int server = nextServer;
        nextServer = (nextServer + 1) % servers.Length;
        return server;
    }

    public void AddAttempt(long attempt, ushort id, int server, Instant now)
    {
        for (int i = 0; i < Attempts.Count; i++)
        {
            Attempts[i] = Attempts[i] with { IsLatest = false };
        }

        Attempts.Add(new(attempt, id, server, true, now));
        Asked++;
    }

    /// <summary>Until when servers before that one, in the host's order, may take to answer; null: none is waited for.</summary>
    /// <param name="timeout">That each may take.</param>
    public Instant? EarlierUntil(int server, TimeSpan timeout)
    {
        Instant? until = null;
        foreach (Try earlier in Attempts.Where(a => a.Server < server))
        {
            until = until is { } known && known > earlier.Since + timeout ? known : earlier.Since + timeout;
        }

        return until;
    }

    /// <summary>The same for the answer that is held.</summary>
    public Instant? HeldUntil(TimeSpan timeout) => EarlierUntil(heldOf, timeout);

    /// <summary>Of several such answers that of the server before the others counts.</summary>
    public void Hold(ReadOnlySpan<byte> packet, int server)
    {
        if (Held is null || server < heldOf)
        {
            (Held, heldOf) = (packet.ToArray(), server);
        }
    }

    public int ServerOf(long attempt) => Attempts.Find(a => a.Attempt == attempt).Server;

    /// <summary>
    /// Whether the packet answers this attempt: its server, its id, our question without regard to case.
    /// </summary>
    public bool Matches(long attempt, IPEndPoint source, ReadOnlySpan<byte> packet, out int server)
    {
        Try asked = Attempts.Find(a => a.Attempt == attempt);
        server = asked.Server;
        return asked.Attempt == attempt
            && source.Equals(servers[asked.Server])
            && packet.Length >= WireName.HeaderLength
            && BinaryPrimitives.ReadUInt16BigEndian(packet) == asked.Id
            && (packet[2] & 0x80) != 0
            && HasOurQuestion(packet);
    }

    /// <summary>The packet as the client gets it: with the client's id and case, and cut to what the client takes.</summary>
    public byte[] Relay(ReadOnlySpan<byte> packet)
    {
        bool isTooLong = packet.Length > (tcp ? ushort.MaxValue : udpLimit);
        if (isTooLong)
        {
            byte[] cut = Failure(ResponseCode.NoError);
            packet.Slice(2, 2).CopyTo(cut.AsSpan(2));
            cut[2] |= HeaderFlags.Truncated >> 8;
            return cut;
        }

        byte[] relayed = [.. packet];
        query.AsSpan(0, 2).CopyTo(relayed);
        if (BinaryPrimitives.ReadUInt16BigEndian(packet[4..]) == 1)
        {
            // Equal but for the case, in which some clients hide a secret.
            query.AsSpan(WireName.HeaderLength, questionEnd - WireName.HeaderLength).CopyTo(relayed.AsSpan(WireName.HeaderLength));
        }

        return relayed;
    }

    /// <summary>The same of an answer that was kept.</summary>
    /// <param name="staleTtl">Where it is beyond its time.</param>
    public byte[] Repeat(CachedAnswer kept, Instant now, TimeSpan staleTtl) => Relay(kept.For(query, questionEnd, now, staleTtl));

    /// <summary>A response without records: the header and the question.</summary>
    public byte[] Failure(ResponseCode code)
    {
        byte[] packet = query[..questionEnd];
        packet[2] = (byte)((packet[2] & 0x79) | 0x80);
        packet[3] = (byte)((HeaderFlags.RecursionAvailable | (packet[3] & HeaderFlags.CheckingDisabled)) | (int)code);
        packet.AsSpan(6, 6).Clear();
        return packet;
    }

    /// <summary>Servers that fail may leave the question out; an answer must repeat it.</summary>
    private bool HasOurQuestion(ReadOnlySpan<byte> packet)
    {
        int count = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        if (count == 0)
        {
            return (packet[3] & HeaderFlags.CodeMask) != 0;
        }

        Span<byte> theirs = stackalloc byte[WireName.MaxLength];
        Span<byte> ours = stackalloc byte[WireName.MaxLength];
        int theirEnd = WireName.HeaderLength;
        int ourEnd = WireName.HeaderLength;
        return count == 1
            && WireName.TryRead(packet, ref theirEnd, theirs, out int theirLength)
            && WireName.TryRead(query, ref ourEnd, ours, out int ourLength)
            && packet.Length >= theirEnd + 4
            && theirs[..theirLength].SequenceEqual(ours[..ourLength])
            && packet.Slice(theirEnd, 4).SequenceEqual(query.AsSpan(ourEnd, 4));
    }

    /// <summary>One server asked on one socket.</summary>
    public readonly record struct Try(long Attempt, ushort Id, int Server, bool IsLatest, Instant Since);
}

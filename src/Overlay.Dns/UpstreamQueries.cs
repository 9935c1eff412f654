using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dns;

/// <summary>
/// The questions that are under way to the host's servers. Each is asked of one server after the other, in the host's order:
/// the next one on a failure, a refusal or a moment's silence, and the first answer counts. But that there is no such name
/// is believed of a server only when those before it have had their time: they may know names that others do not (a
/// VPN's). An answer counts only if it came from the server asked, on that attempt's socket, with its id and question. What
/// was answered is kept and repeated; beyond its time only where no server answers soon.
/// <para>It refuses to know sockets and clients: attempts and tickets are numbers.</para>
/// </summary>
public sealed class UpstreamQueries(UpstreamOptions options, Prng prng)
{
    private const int MaxAttempts = 6;
    private readonly SortedDictionary<long, PendingQuestion> pending = [];
    private readonly SortedDictionary<long, PendingQuestion> byAttempt = [];
    private readonly SortedDictionary<int, int> byClient = [];
    private readonly SortedSet<(Instant Due, long Ticket)> deadlines = [];
    private readonly AnswerCache cache = new(options);

    /// <summary>What servers are asked for, by way and question.</summary>
    private readonly SortedDictionary<byte[], PendingQuestion> asked = new(QuestionKey.Order);
    private ImmutableArray<IPEndPoint> known = [];
    private long lastAttempt;

    public int Count => pending.Count;

    /// <summary>Answers that are kept, those beyond their time included.</summary>
    public int Kept => cache.Count;

    public Instant NextDeadline => deadlines.Count == 0 ? Instant.Never : deadlines.Min.Due;

    /// <summary>Starts a question. It always ends in one reply with the ticket, perhaps at once.</summary>
    /// <param name="ticket">Chosen by the shell, not under way yet.</param>
    /// <param name="client">The sandbox, for its share of the limit.</param>
    /// <param name="query">A query of which the answerer said <see cref="AnswerOutcome.Forward"/>.</param>
    /// <param name="udpLimit">Bytes of the largest UDP answer to the client; not used for TCP.</param>
    public void Start(
        long ticket,
        int client,
        ReadOnlySpan<byte> query,
        ImmutableArray<IPEndPoint> servers,
        bool tcp,
        int udpLimit,
        Instant now,
        UpstreamEffects effects)
    {
        Invariant.Holds(!pending.ContainsKey(ticket), "a ticket is used once");
        FollowServers(servers);
        int questionEnd = QuestionEnd(query);
        CachedAnswer? kept = cache.Find(QuestionKey.Of(query, questionEnd), now);
        PendingQuestion question = new(
            ticket, client, query.ToArray(), questionEnd, [.. servers.Take(options.MaxServers)], tcp, udpLimit,
            now + (kept is null ? options.TotalTimeout : options.StaleAfter))
        {
            Stale = kept,
        };
        if (kept is not null && (kept.IsFresh(now) || now < kept.RestUntil))
        {
            effects.Replies.Add(new(
                ticket, question.Repeat(kept, now, options.StaleTtl), UpstreamFailure.None,
                kept.IsFresh(now) ? AnswerSource.Cache : AnswerSource.Stale));
            return;
        }

        int share = byClient.GetValueOrDefault(client);
        if (servers.IsEmpty || pending.Count >= options.MaxPending || share >= options.MaxPendingPerClient)
        {
            UpstreamFailure failure = servers.IsEmpty ? UpstreamFailure.NoServer : UpstreamFailure.TooMany;
            effects.Replies.Add(Without(question, failure, now));
            return;
        }

        pending.Add(ticket, question);
        byClient[client] = share + 1;
        if (question.Way is { } way && !asked.TryAdd(way, question))
        {
            // Each further question to the servers would be one more that a forged answer may fit (RFC 5452 §5).
            question.Leader = asked[way];
            question.Leader.Joined.Add(question);
            return;
        }

        AskNext(question, now, effects);
    }

    /// <summary>The response that says SERVFAIL to a parsed query, for a shell that can not even start it.</summary>
    public static byte[] ServerFailure(ReadOnlySpan<byte> query) =>
        new PendingQuestion(0, 0, query.ToArray(), QuestionEnd(query), [], false, 0, Instant.Never)
            .Failure(ResponseCode.ServerFailure);

    /// <summary>A packet arrived on an attempt's socket.</summary>
    public void Receive(
        long attempt, IPEndPoint source, ReadOnlySpan<byte> packet, Instant now, UpstreamEffects effects)
    {
        if (!byAttempt.TryGetValue(attempt, out PendingQuestion? question)
            || !question.Matches(attempt, source, packet, out int server))
        {
            effects.Mismatches++;
            return;
        }

        ResponseCode code = (ResponseCode)(packet[3] & HeaderFlags.CodeMask);
        if (code is ResponseCode.ServerFailure or ResponseCode.Refused or ResponseCode.NotImplemented)
        {
            question.LastFailure = packet.ToArray();
            ServerFailed(question, attempt, server, now, effects);
            return;
        }

        if (IsNegative(packet) && question.EarlierUntil(server, options.ServerTimeout) is { } until && until > now)
        {
            question.Hold(packet, server);
            Close(question, attempt, server, effects);
            Wake(question, Instant.Min(question.Limit, until));
            return;
        }

        Answer(question, packet, now, effects);
    }

    /// <summary>An attempt's socket reported an error, such as an unreachable port.</summary>
    public void Failed(long attempt, Instant now, UpstreamEffects effects)
    {
        if (byAttempt.TryGetValue(attempt, out PendingQuestion? question))
        {
            ServerFailed(question, attempt, question.ServerOf(attempt), now, effects);
        }
    }

    /// <summary>The client is gone: nothing is replied any more.</summary>
    public void Abandon(long ticket, UpstreamEffects effects)
    {
        if (!pending.TryGetValue(ticket, out PendingQuestion? question))
        {
            return;
        }

        if (question.Leader is { } leader)
        {
            leader.Joined.Remove(question);
            Leave(question);
        }
        else if (question.Joined.Count > 0)
        {
            question.IsAbandoned = true;
        }
        else
        {
            Forget(question, effects);
        }
    }

    public void Advance(Instant now, UpstreamEffects effects)
    {
        while (deadlines.Count > 0 && deadlines.Min is { } first && first.Due <= now)
        {
            PendingQuestion question = pending[first.Ticket];
            if (question.Held is { } held)
            {
                Answer(question, held, now, effects);
            }
            else if (question.Limit <= now)
            {
                Fail(question, UpstreamFailure.Timeout, now, effects);
            }
            else
            {
                AskNext(question, now, effects);
            }
        }
    }

    private static int QuestionEnd(ReadOnlySpan<byte> query)
    {
        Span<byte> name = stackalloc byte[WireName.MaxLength];
        int end = WireName.HeaderLength;
        Invariant.Holds(
            query.Length >= end && WireName.TryRead(query, ref end, name, out _) && query.Length >= end + 4,
            "a forwarded query was parsed before");
        return end + 4;
    }

    private void ServerFailed(
        PendingQuestion question, long attempt, int server, Instant now, UpstreamEffects effects)
    {
        Close(question, attempt, server, effects);
        if (question.Held is { } held)
        {
            if (question.HeldUntil(options.ServerTimeout) is { } until && until > now)
            {
                Wake(question, Instant.Min(question.Limit, until));
            }
            else
            {
                Answer(question, held, now, effects);
            }
        }
        else if (question.DoneServers == (1 << question.Servers.Length) - 1)
        {
            Fail(question, UpstreamFailure.AllFailed, now, effects);
        }
        else if (!question.Attempts.Exists(static a => a.IsLatest))
        {
            AskNext(question, now, effects);
        }
    }

    /// <summary>That server is done with.</summary>
    private void Close(PendingQuestion question, long attempt, int server, UpstreamEffects effects)
    {
        question.DoneServers |= 1 << server;
        byAttempt.Remove(attempt);
        question.Attempts.RemoveAll(a => a.Attempt == attempt);
        effects.Closes.Add(attempt);
    }

    /// <summary>No such name, or none with records of that type; a cut answer is to be asked for by TCP.</summary>
    private static bool IsNegative(ReadOnlySpan<byte> packet) =>
        (packet[3] & HeaderFlags.CodeMask) == (int)ResponseCode.NameError
        || ((packet[3] & HeaderFlags.CodeMask) == 0 && (packet[2] & (HeaderFlags.Truncated >> 8)) == 0
            && BinaryPrimitives.ReadUInt16BigEndian(packet[6..]) == 0);

    private void Answer(PendingQuestion question, ReadOnlySpan<byte> packet, Instant now, UpstreamEffects effects)
    {
        if (IsCurrent(question))
        {
            cache.Keep(question.Key, packet, now);
        }

        Forget(question, effects);
        foreach (PendingQuestion one in Waiting(question))
        {
            effects.Replies.Add(new(one.Ticket, one.Relay(packet), UpstreamFailure.None));
        }
    }

    private void Wake(PendingQuestion question, Instant due)
    {
        if (question.Due != Instant.Never)
        {
            deadlines.Remove((question.Due, question.Ticket));
        }

        question.Due = due;
        deadlines.Add((due, question.Ticket));
    }

    /// <summary>Asks the next server that has not failed yet, in turn, and waits for it for a while.</summary>
    private void AskNext(PendingQuestion question, Instant now, UpstreamEffects effects)
    {
        bool hasAnother = question.Asked + 1 < question.Servers.Length;
        TimeSpan patience = hasAnother ? options.RaceAfter
            : question.Stale is null ? options.ServerTimeout : options.StaleAfter / question.Servers.Length;
        Wake(question, Instant.Min(question.Limit, now + patience));
        if (question.Asked >= MaxAttempts)
        {
            return;
        }

        int server = question.NextServer();
        ushort id = (ushort)prng.NextUInt64();
        long attempt = ++lastAttempt;
        question.AddAttempt(attempt, id, server, now);
        byAttempt.Add(attempt, question);
        byte[] packet = [.. question.Query];
        BinaryPrimitives.WriteUInt16BigEndian(packet, id);
        effects.Sends.Add(new(attempt, question.Servers[server], question.Tcp, packet));
    }

    private void Fail(PendingQuestion question, UpstreamFailure failure, Instant now, UpstreamEffects effects)
    {
        Forget(question, effects);
        if (question.Stale is { } stale)
        {
            stale.RestUntil = now + options.StaleRest;
        }

        foreach (PendingQuestion one in Waiting(question))
        {
            one.LastFailure = question.LastFailure;
            effects.Replies.Add(Without(one, failure, now));
        }
    }

    /// <summary>Whom the answer to a question is for.</summary>
    private static IEnumerable<PendingQuestion> Waiting(PendingQuestion question) =>
        question.IsAbandoned ? question.Joined : question.Joined.Prepend(question);

    /// <summary>What the client gets where no server has an answer for it.</summary>
    private UpstreamReply Without(PendingQuestion question, UpstreamFailure failure, Instant now) => question.Stale is { } stale
        ? new(question.Ticket, question.Repeat(stale, now, options.StaleTtl), failure, AnswerSource.Stale)
        : new(
            question.Ticket, question.LastFailure is { } answer ? question.Relay(answer) : question.Failure(ResponseCode.ServerFailure), failure);

    /// <summary>Others may know other names: a laptop that joins a VPN, a host whose resolv.conf was written anew.</summary>
    private void FollowServers(ImmutableArray<IPEndPoint> servers)
    {
        if (!servers.IsEmpty && !servers.SequenceEqual(known))
        {
            known = servers;
            cache.Clear();
            asked.Clear();
        }
    }

    /// <summary>It was put to the servers that there are now, and others join it.</summary>
    private bool IsCurrent(PendingQuestion question) =>
        question.Way is { } way && asked.TryGetValue(way, out PendingQuestion? current) && current == question;

    /// <summary>Servers are not asked for it any more.</summary>
    private void Forget(PendingQuestion question, UpstreamEffects effects)
    {
        Leave(question);
        question.Joined.ForEach(Leave);
        if (IsCurrent(question))
        {
            asked.Remove(question.Way!);
        }

        deadlines.Remove((question.Due, question.Ticket));
        foreach (PendingQuestion.Try attempt in question.Attempts)
        {
            byAttempt.Remove(attempt.Attempt);
            effects.Closes.Add(attempt.Attempt);
        }
    }

    private void Leave(PendingQuestion question)
    {
        pending.Remove(question.Ticket);
        int share = byClient[question.Client] - 1;
        if (share == 0)
        {
            byClient.Remove(question.Client);
        }
        else
        {
            byClient[question.Client] = share;
        }
    }
}

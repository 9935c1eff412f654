using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Manager;
using Overlay.Gossip;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// What an operator asks of gossip, from the question to the last answer; and on a manager, what a foreign agent's key
/// query changed becomes the cluster's word.
/// </summary>
internal sealed partial class GossipCalls(NodeLoop loop, Func<ManagerServer?> manager, ILogger<GossipCalls> logger)
{
    /// <summary>More names would not fit into one packet.</summary>
    private const int MaxAsked = 16;
    private static readonly TimeSpan KeyQueryTime = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<uint, Waiting> queries = new();
    private readonly ConcurrentDictionary<IPEndPoint, TaskCompletionSource<string>> joins = new();

    /// <summary>Runs on the node's loop.</summary>
    public void Hear(GossipEvent told)
    {
        switch (told)
        {
            case GossipEvent.QueryAnswered answer when queries.TryGetValue(answer.Query, out Waiting? waiting):
                waiting.Add(answer);
                break;
            case GossipEvent.QueryEnded ended when queries.TryRemove(ended.Query, out Waiting? waiting):
                waiting.Ended.TrySetResult();
                break;
            case GossipEvent.Joined joined when joins.TryRemove(joined.Seed, out TaskCompletionSource<string>? waiting):
                waiting.TrySetResult("");
                break;
            case GossipEvent.JoinFailed failed when joins.TryRemove(failed.Seed, out TaskCompletionSource<string>? waiting):
                waiting.TrySetResult(failed.Text);
                break;
            case GossipEvent.KeyringChanged { Keys: var keys }:
                LogKeysChanged(keys.Keys.Length);
                if (manager() is { Loop.Leadership.Leads: true } leader)
                {
                    _ = KeepAsync(leader, keys);
                }

                break;
            default:
                break;
        }
    }

    /// <summary>What went wrong at each address; empty: it answered.</summary>
    public async Task<IReadOnlyList<(IPEndPoint Address, string Problem)>> JoinAsync(
        IReadOnlyList<IPEndPoint> addresses, CancellationToken cancellationToken)
    {
        (IPEndPoint Address, Task<string> Answer)[] answers =
        [
            .. addresses.Select(a => (a, joins.GetOrAdd(
                a, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).Task)),
        ];
        await loop.CallAsync(
            (node, now, effects) =>
            {
                node.JoinGossip(addresses, now, effects);
                return true;
            },
            cancellationToken);
        List<(IPEndPoint, string)> outcomes = [];
        foreach ((IPEndPoint address, Task<string> answer) in answers)
        {
            outcomes.Add((address, await answer.WaitAsync(cancellationToken)));
        }

        return outcomes;
    }

    /// <summary>Null: the query is too long, or too many are open.</summary>
    public async Task<QueryGossipResponse?> AskAsync(
        QueryGossipRequest request, IReadOnlyList<string> nodes, CancellationToken cancellationToken)
    {
        Waiting waiting = new();
        byte[] payload = request.Payload.ToByteArray();
        uint? query = await loop.CallAsync(
            (node, now, effects) =>
            {
                TimeSpan wait = request.WaitMs > 0
                    ? TimeSpan.FromMilliseconds(request.WaitMs)
                    : node.Gossip.DefaultQueryTimeout;
                uint? id = node.Ask(request.Name, payload, nodes, wait, now, effects);
                if (id is { } asked)
                {
                    // Here on the loop: the first answer, our own, is told right after.
                    queries[asked] = waiting;
                }

                return id;
            },
            cancellationToken);
        if (query is not { } number)
        {
            return null;
        }

        try
        {
            await waiting.Ended.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            queries.TryRemove(number, out _);
        }

        return waiting.Answer();
    }

    /// <summary>Who of these members, a few at a time, says that it did as a key query asks.</summary>
    public async Task<IReadOnlyList<string>> AskKeyAsync(
        KeyQuestion question, byte[] key, IReadOnlyList<string> members, CancellationToken cancellationToken) =>
        [.. (await AskKeysAsync(question, key, members, cancellationToken)).Where(static a => a.Answer.Done).Select(static a => a.From)];

    /// <summary>The keys that these members hold, each once.</summary>
    public async Task<IReadOnlyList<byte[]>> ListKeysAsync(IReadOnlyList<string> members, CancellationToken cancellationToken)
    {
        SortedSet<string> held = new(StringComparer.Ordinal);
        foreach ((_, KeyAnswer answer) in await AskKeysAsync(KeyQuestion.List, [], members, cancellationToken))
        {
            held.UnionWith(answer.Keys);
        }

        byte[] key = new byte[64];
        return [.. held.Where(k => Convert.TryFromBase64String(k, key, out _)).Select(Convert.FromBase64String)];
    }

    private async Task<List<(string From, KeyAnswer Answer)>> AskKeysAsync(
        KeyQuestion question, byte[] key, IReadOnlyList<string> members, CancellationToken cancellationToken)
    {
        Waiting waiting = new();
        string[] asked = [.. members.Take(MaxAsked)];
        uint? query = await loop.CallAsync(
            (node, now, effects) =>
            {
                uint? id = node.AskKey(question, key, asked, KeyQueryTime, now, effects);
                if (id is { } number)
                {
                    queries[number] = waiting;
                }

                return id;
            },
            cancellationToken);
        if (query is not { } open)
        {
            return [];
        }

        try
        {
            await waiting.Ended.Task.WaitAsync(cancellationToken);
        }
        finally
        {
            queries.TryRemove(open, out _);
        }

        List<(string From, KeyAnswer Answer)> answers = [];
        foreach ((string from, ReadOnlyMemory<byte> payload) in waiting.Payloads)
        {
            if (KeyAnswer.TryRead(payload.Span, out KeyAnswer? answer))
            {
                answers.Add((from, answer));
            }
        }

        return answers;
    }

    private async Task KeepAsync(ManagerServer manager, Keyring keys)
    {
        try
        {
            byte[][] wanted = [.. keys.Keys];
            Outcome<ClusterObject> kept = await manager.Loop.ProposeAsync(
                intent => intent.SetGossipKeys(wanted), "", CancellationToken.None);
            if (kept.Refusal is { } refusal)
            {
                LogKeysNotKept(refusal.Why);
            }
        }
        catch (Exception e) when (e is Grpc.Core.RpcException or OperationCanceledException or ObjectDisposedException)
        {
            LogKeysNotKept(e.Message);
        }
    }

    private sealed class Waiting
    {
        private readonly SortedSet<string> acks = new(StringComparer.Ordinal);
        private readonly SortedDictionary<string, ReadOnlyMemory<byte>> answers = new(StringComparer.Ordinal);

        /// <summary>Once it has ended.</summary>
        public IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>> Payloads => answers;

        public TaskCompletionSource Ended { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Add(GossipEvent.QueryAnswered answer)
        {
            if (answer.Payload is { } payload)
            {
                answers[answer.From] = payload;
            }
            else
            {
                acks.Add(answer.From);
            }
        }

        /// <summary>Once it has ended.</summary>
        public QueryGossipResponse Answer()
        {
            QueryGossipResponse response = new();
            response.Acks.AddRange(acks);
            response.Answers.AddRange(answers.Select(static a => new GossipAnswerView
            {
                From = a.Key,
                Payload = Encoding.UTF8.GetString(a.Value.Span),
            }));
            return response;
        }
    }

    [LoggerMessage(EventId = 330, Level = LogLevel.Warning, Message = "A key query of gossip changed the keys; {Count} are held now")]
    private partial void LogKeysChanged(int count);

    [LoggerMessage(EventId = 331, Level = LogLevel.Warning, Message = "The changed gossip keys are not kept by the cluster: {Reason}")]
    private partial void LogKeysNotKept(string reason);
}

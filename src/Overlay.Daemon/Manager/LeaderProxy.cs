using System.Net.Security;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Trust;
using Overlay.Primitives;

namespace Overlay.Daemon.Manager;

/// <summary>
/// The way from this manager to the one that leads, for calls that only a leader can serve. A call that a leader did not
/// take is made again with the next one; a call of which nobody knows whether it was served only where
/// <see cref="MethodPolicy.IsRepeatable"/> says so.
/// </summary>
internal sealed class LeaderProxy(ManagerLoop loop, NodeIdentity identity, Func<PeerAddress, GrpcChannel> open, MonotonicClock clock) : IDisposable
{
    /// <summary>On every call that was passed on already: it is not passed on again.</summary>
    public const string Passed = "overlayd-passed";

    /// <summary>The node whose call it is, as the manager has it from the node's certificate.</summary>
    public const string Caller = "overlayd-caller";

    /// <summary>In the trailers of an answer: the call changed nothing, as somebody else leads.</summary>
    public const string NotLeader = "overlayd-not-leader";

    /// <summary>While too few managers are reachable.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongPatience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);
    private static readonly Marshaller<byte[]> Bytes = Marshallers.Create(static bytes => bytes, static bytes => bytes);

    private readonly Lock gate = new();
    private (PeerAddress Peer, SslStreamCertificateContext Shown, GrpcChannel Channel)? line;

    /// <summary>Of the manager that calls.</summary>
    public ManagerLoop Loop => loop;

    /// <summary>Calls the leader, whoever it is.</summary>
    /// <param name="path">"/service/method".</param>
    /// <returns>Null: this manager leads by now, and must serve the call itself.</returns>
    /// <exception cref="RpcException">As the leader answered; or none could be asked.</exception>
    public async Task<TResponse?> CallAsync<TResponse>(
        string path, IMessage request, MessageParser<TResponse> parser, CancellationToken cancellationToken)
        where TResponse : class, IMessage<TResponse> =>
        await CallAsync(path, request.ToByteArray(), [], null, cancellationToken) is { } answer ? parser.ParseFrom(answer) : null;

    /// <param name="caller">Whose call it is; null: this manager's own.</param>
    /// <inheritdoc cref="CallAsync{TResponse}"/>
    public async Task<byte[]?> CallAsync(
        string path, byte[] request, Metadata headers, NodeId? caller, CancellationToken cancellationToken)
    {
        headers.Add(Passed, "1");
        if (caller is { } node)
        {
            headers.Add(Caller, node.ToString());
        }

        int slash = path.IndexOf('/', 1);
        Method<byte[], byte[]> method = new(MethodType.Unary, path[1..slash], path[(slash + 1)..], Bytes, Bytes);
        Instant begun = clock.Now;
        bool isOpen = false;
        while (true)
        {
            Leadership term = loop.Leadership;
            if (term.View.IsLeader)
            {
                return null;
            }

            if (loop.Engine.AddressOf(term.View.Leader) is { } leader)
            {
                try
                {
                    return await AskAsync(leader, term, method, headers, request, cancellationToken);
                }
                catch (RpcException e) when (IsUnserved(e, path) && clock.Now < begun + LongPatience && !cancellationToken.IsCancellationRequested)
                {
                    // Whoever leads next is asked. One that was lost may have had it decided before.
                    isOpen |= e.Trailers.Get(NotLeader) is null;
                }
                catch (RpcException e) when (e.Trailers.Get(NotLeader) is not null)
                {
                    throw NotMade(ManagerEnd.NotLeader(leader), isOpen);
                }
                catch (RpcException e) when (isOpen && RefusalStatus.FromException(e) is { Kind: RefusalKind.NoQuorum or RefusalKind.Unavailable } told)
                {
                    throw NotMade(told, isOpen);
                }
                catch (RpcException e) when (IsBroken(e))
                {
                    throw RefusalStatus.ToException(ManagerEnd.UndecidedWithoutLeader);
                }
            }
            else if (loop.Engine.Quorum is { IsLost: true } lost && clock.Now >= begun + Patience)
            {
                throw NotMade(ManagerEnd.NoQuorum(lost), isOpen);
            }
            else if (clock.Now >= begun + LongPatience)
            {
                throw NotMade(ManagerEnd.NoLeader, isOpen);
            }

            await Task.Delay(Pause, clock.Time, cancellationToken);
        }
    }

    public void Dispose()
    {
        lock (gate)
        {
            line?.Channel.Dispose();
            line = null;
        }
    }

    private async Task<byte[]> AskAsync(
        PeerAddress leader, Leadership term, Method<byte[], byte[]> method, Metadata headers, byte[] request,
        CancellationToken cancellationToken)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task<byte[]> answer = LineTo(leader).CreateCallInvoker().AsyncUnaryCall(
            method, null, new CallOptions(headers, cancellationToken: ended.Token), request).ResponseAsync;
        if (await Task.WhenAny(answer, term.Over) != answer)
        {
            // It has lost its place, perhaps because it is gone: its answer would never come.
            ended.CancelAfter(TimeSpan.FromSeconds(1));
        }

        try
        {
            return await answer;
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled }
            && ended.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new(StatusCode.Unavailable, "The leader was lost."));
        }
    }

    /// <param name="isOpen">A leader that was lost had the call: what it made of it is not known, whatever is said of a later one.</param>
    private static RpcException NotMade(Refusal refusal, bool isOpen) =>
        RefusalStatus.ToException(isOpen ? ManagerEnd.UndecidedWithoutLeader : refusal);

    private GrpcChannel LineTo(PeerAddress leader)
    {
        lock (gate)
        {
            if (line is { } held && held.Peer == leader && held.Shown == identity.Presented)
            {
                return held.Channel;
            }

            // Calls may be under way on the one before: it is left to them.
            line = (leader, identity.Presented, open(leader));
            return line.Value.Channel;
        }
    }

    private static bool IsUnserved(RpcException e, string path) =>
        e.Trailers.Get(NotLeader) is not null || (IsBroken(e) && MethodPolicy.IsRepeatable(path));

    /// <summary>The connection ended, and not the call.</summary>
    private static bool IsBroken(RpcException e) =>
        e.StatusCode is StatusCode.Unavailable or StatusCode.Internal && RefusalStatus.FromException(e) is null;
}

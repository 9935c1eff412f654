using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Telemetry;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Wire;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>The receiving side of the links: judges who speaks, and hands on what it says.</summary>
internal sealed partial class RaftService(
    IPeerReceiver receiver, PeerGate gate, RepairAnswers repairs, IncomingStreams streams, SnapshotInbox inbox, Instruments instruments,
    IHostApplicationLifetime lifetime, ILogger<RaftService> logger)
    : RepairService(gate, repairs)
{
    private static readonly TimeSpan HelloTimeout = TimeSpan.FromSeconds(10);

    public override async Task Exchange(
        IAsyncStreamReader<RaftFrames> requestStream, IServerStreamWriter<RaftWelcome> responseStream, ServerCallContext context)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            ended.CancelAfter(HelloTimeout);
            if (!await requestStream.MoveNext(ended.Token))
            {
                return;
            }

            RaftHello hello = Gate.Judge(requestStream.Current.Hello, context);
            if (hello.Lane is not (RaftLane.Urgent or RaftLane.Bulk))
            {
                throw new RpcException(new(StatusCode.InvalidArgument, "The hello names no lane."));
            }

            ended.CancelAfter(Timeout.InfiniteTimeSpan);
            MemberId from = new(hello.From);
            streams.Enter(from, hello.Lane, ended);
            try
            {
                await responseStream.WriteAsync(new() { Protocol = PeerHello.Protocol }, ended.Token);
                LogOpened(from, hello.Lane);
                if (PeerHello.AddressIn(hello) is { Length: > 0 } address)
                {
                    receiver.IsAt(from, address);
                }

                await ReadAsync(from, hello.Lane, requestStream, ended.Token);
            }
            finally
            {
                LogClosed(from, hello.Lane);
                if (streams.Exit(from, hello.Lane, ended))
                {
                    receiver.Gone(from);
                }
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            throw new RpcException(new(
                StatusCode.Unavailable, lifetime.ApplicationStopping.IsCancellationRequested
                    ? "This manager stops."
                    : "The call was replaced by a newer one, its member was removed, or it said no hello."));
        }
    }

    public override async Task InstallSnapshot(
        IAsyncStreamReader<SnapshotChunk> requestStream, IServerStreamWriter<SnapshotProgress> responseStream, ServerCallContext context)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, lifetime.ApplicationStopping);
        if (!await requestStream.MoveNext(ended.Token))
        {
            return;
        }

        MemberId from = new(Gate.Judge(requestStream.Current.Hello, context).From);
        SnapshotInbox.Arrival arrival = inbox.Begin(from, requestStream.Current);
        await responseStream.WriteAsync(new() { Offset = arrival.Offset }, ended.Token);
        while (!arrival.IsWhole)
        {
            if (!await requestStream.MoveNext(ended.Token))
            {
                throw new RpcException(new(StatusCode.Aborted, "The snapshot ended before it was whole."));
            }

            int length = requestStream.Current.Data.Length;
            if (arrival.Add(requestStream.Current) is { } fault)
            {
                throw new RpcException(new(StatusCode.DataLoss, fault));
            }

            instruments.RaftSnapshotBytes.Add(length, new KeyValuePair<string, object?>("dir", "in"));
        }

        inbox.Forget(from);
        if (!arrival.HasDigest() || !receiver.ReceiveSnapshot(arrival.Announcement, arrival.Bytes))
        {
            throw new RpcException(new(StatusCode.DataLoss, "The snapshot is not what was announced, or cannot be taken now."));
        }

        LogSnapshot(from, arrival.Bytes.Length);
        await responseStream.WriteAsync(new() { Offset = arrival.Offset, Complete = true }, ended.Token);
    }

    private async Task ReadAsync(
        MemberId from, RaftLane lane, IAsyncStreamReader<RaftFrames> requests, CancellationToken cancellationToken)
    {
        KeyValuePair<string, object?>[] came = [new("lane", lane == RaftLane.Urgent ? "urgent" : "bulk"), new("dir", "in")];
        while (await requests.MoveNext(cancellationToken))
        {
            ByteString messages = requests.Current.Messages;
            ReadOnlyMemory<byte> rest = messages.Memory;
            int count = 0;
            for (; !rest.IsEmpty; count++)
            {
                // The entries live on in the core.
                LogEntry[] entries = [];
                bool read = RaftMessageCodec.TryRead(rest, ref entries, out RaftMessage message, out int length);
                if (!read || message.From != from)
                {
                    instruments.RaftPeerDrops.Add(1, new KeyValuePair<string, object?>("reason", "malformed"));
                    LogMalformed(from);
                    throw new RpcException(new(StatusCode.InvalidArgument, "A message is not of this protocol, or not the caller's."));
                }

                rest = rest[length..];
                if (!receiver.Receive(message))
                {
                    instruments.RaftPeerDrops.Add(1, new KeyValuePair<string, object?>("reason", "busy"));
                }
            }

            instruments.RaftPeerMessages.Add(count, came);
            instruments.RaftPeerBytes.Add(messages.Length, came);
        }
    }

    [LoggerMessage(EventId = 734, Level = LogLevel.Debug, Message = "Manager {Member} opened its {Lane} stream")]
    private partial void LogOpened(MemberId member, RaftLane lane);

    [LoggerMessage(EventId = 735, Level = LogLevel.Debug, Message = "The {Lane} stream of manager {Member} ended")]
    private partial void LogClosed(MemberId member, RaftLane lane);

    [LoggerMessage(EventId = 736, Level = LogLevel.Warning, Message = "Manager {Member} sent a message that cannot be read; its stream was ended")]
    private partial void LogMalformed(MemberId member);

    [LoggerMessage(EventId = 737, Level = LogLevel.Information, Message = "Manager {Member} sent a snapshot of {Bytes} bytes")]
    private partial void LogSnapshot(MemberId member, int bytes);
}

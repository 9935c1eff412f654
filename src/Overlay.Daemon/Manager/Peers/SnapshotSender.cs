using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Wire;
using Overlay.V1;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>Sends one snapshot on a connection of its own, in checked chunks; a broken call goes on where the other side is.</summary>
internal static partial class SnapshotSender
{
    public const int ChunkBytes = 256 << 10;
    private const int Attempts = 5;

    public static async Task<bool> SendAsync(
        PeerAddress peer, PeerLinksOptions options, RaftMessage announcement, ReadOnlyMemory<byte> snapshot, CancellationToken cancellationToken)
    {
        ArrayBufferWriter<byte> announced = new();
        RaftMessageCodec.Write(announcement, announced);
        SnapshotChunk first = new()
        {
            Hello = PeerHello.To(peer.Member, options.Receiver.Self, RaftLane.Bulk),
            Announcement = ByteString.CopyFrom(announced.WrittenSpan),
            Length = (ulong)snapshot.Length,
            Digest = ByteString.CopyFrom(SHA256.HashData(snapshot.Span)),
        };
        string why = "";
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            try
            {
                if (attempt > 0)
                {
                    await Task.Delay(TimeSpan.FromMilliseconds(100 << attempt), options.Time, cancellationToken);
                }

                using GrpcChannel channel = options.Open(peer);
                await SendAsync(channel, first, snapshot, options, cancellationToken);
                LogSent(options.Logger, peer.Member, snapshot.Length);
                return true;
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.PermissionDenied or StatusCode.FailedPrecondition or StatusCode.InvalidArgument)
            {
                why = e.Status.Detail;
                break;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested
                && e is RpcException or OperationCanceledException or IOException or InvalidOperationException)
            {
                why = e is RpcException { Status.Detail: var detail } ? detail : e.Message;
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }

        LogNotSent(options.Logger, peer.Member, why);
        return false;
    }

    public static uint Checksum(ulong offset, ReadOnlySpan<byte> data)
    {
        Span<byte> place = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(place, offset);
        return Crc32C.Of(data, Crc32C.Of(place));
    }

    private static async Task SendAsync(
        GrpcChannel channel, SnapshotChunk first, ReadOnlyMemory<byte> snapshot, PeerLinksOptions options,
        CancellationToken cancellationToken)
    {
        using AsyncDuplexStreamingCall<SnapshotChunk, SnapshotProgress> call = new V1.Raft.RaftClient(channel).InstallSnapshot(
            cancellationToken: cancellationToken);
        await call.RequestStream.WriteAsync(first, cancellationToken);
        SnapshotProgress progress = await NextAsync(call, cancellationToken);
        for (long at = (long)Math.Min(progress.Offset, (ulong)snapshot.Length); at < snapshot.Length;)
        {
            ReadOnlyMemory<byte> data = snapshot.Slice((int)at, (int)Math.Min(ChunkBytes, snapshot.Length - at));
            SnapshotChunk chunk = new()
            {
                Offset = (ulong)at,
                Data = UnsafeByteOperations.UnsafeWrap(data),
                Checksum = Checksum((ulong)at, data.Span),
            };
            await call.RequestStream.WriteAsync(chunk, cancellationToken);
            options.Instruments.RaftSnapshotBytes.Add(data.Length, new KeyValuePair<string, object?>("dir", "out"));
            at += data.Length;
        }

        await call.RequestStream.CompleteAsync();
        while (!progress.Complete)
        {
            progress = await NextAsync(call, cancellationToken);
        }
    }

    private static async Task<SnapshotProgress> NextAsync(
        AsyncDuplexStreamingCall<SnapshotChunk, SnapshotProgress> call, CancellationToken cancellationToken) =>
        await call.ResponseStream.MoveNext(cancellationToken)
            ? call.ResponseStream.Current
            : throw new IOException("the other side ended the call before it had the snapshot");

    [LoggerMessage(EventId = 732, Level = LogLevel.Information, Message = "Sent a snapshot of {Bytes} bytes to manager {Member}")]
    private static partial void LogSent(ILogger logger, MemberId member, int bytes);

    [LoggerMessage(EventId = 733, Level = LogLevel.Warning, Message = "No snapshot reached manager {Member}: {Reason}")]
    private static partial void LogNotSent(ILogger logger, MemberId member, string reason);
}

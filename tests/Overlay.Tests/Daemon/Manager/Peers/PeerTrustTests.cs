using System.Buffers;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.Raft.Wire;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager.Peers;

/// <summary>Who is not served on the way between managers, tried by real handshakes.</summary>
public sealed class PeerTrustTests : IAsyncLifetime
{
    private readonly PeerRig rig = new();
    private PeerHost[] hosts = [];
    private NodeIdentity friend = null!;

    private PeerHost Host => hosts[0];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        hosts = await rig.StartAsync(1);
        friend = rig.Identity(2);
        Host.Receiver.Members[new(102)] = friend.Node;
    }

    public ValueTask DisposeAsync() => rig.DisposeAsync();

    private RaftHello Hello() => PeerHello.To(Host.Member, new(PeerHost.ClusterId, new(102), 1), RaftLane.Bulk);

    private async Task<RpcException> RefusedAsync(NodeIdentity? own, RaftFrames first)
    {
        using GrpcChannel channel = Host.Call(own);
        using AsyncDuplexStreamingCall<RaftFrames, RaftWelcome> call = new V1.Raft.RaftClient(channel).Exchange(cancellationToken: Cancelled);
        try
        {
            await call.RequestStream.WriteAsync(first, Cancelled);
        }
        catch (RpcException)
        {
            // The refusal came before the hello was gone; it is read below.
        }

        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancelled));
        Assert.True(Host.Receiver.IsEmpty);
        return refused;
    }

    private async Task<RpcException> RefusedAsync(Action<RaftHello> change)
    {
        RaftHello hello = Hello();
        change(hello);
        return await RefusedAsync(friend, new() { Hello = hello });
    }

    [Fact]
    public async Task The_hello_that_the_others_break_is_welcomed()
    {
        using GrpcChannel channel = Host.Call(friend);
        using AsyncDuplexStreamingCall<RaftFrames, RaftWelcome> call = new V1.Raft.RaftClient(channel).Exchange(cancellationToken: Cancelled);
        await call.RequestStream.WriteAsync(new() { Hello = Hello(), Messages = Bytes(1) }, Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        await call.RequestStream.WriteAsync(new() { Messages = Bytes(2, 3) }, Cancelled);
        Assert.Equal(2ul, (await Host.Receiver.NextAsync()).Context);
        Assert.Equal(3ul, (await Host.Receiver.NextAsync()).Context);
    }

    private ByteString Bytes(params ReadOnlySpan<ulong> numbers)
    {
        ArrayBufferWriter<byte> writer = new();
        foreach (ulong number in numbers)
        {
            RaftMessageCodec.Write(
                new() { Kind = MessageKind.Heartbeat, From = new(102), To = Host.Member, Term = 1, Context = number }, writer);
        }

        return ByteString.CopyFrom(writer.WrittenSpan);
    }

    private ByteString Announcement(ulong index)
    {
        ArrayBufferWriter<byte> writer = new();
        RaftMessageCodec.Write(
            new()
            {
                Kind = MessageKind.InstallSnapshot,
                From = new(102),
                To = Host.Member,
                Term = 1,
                Snapshot = new(index, 1),
                Configuration = Overlay.Raft.Configuration.OfVoters(new MemberId(102)),
            },
            writer);
        return ByteString.CopyFrom(writer.WrittenSpan);
    }

    [Fact]
    public async Task A_worker_is_not_served()
    {
        NodeIdentity worker = rig.Identity(2, NodeRole.Worker);
        Assert.Equal(StatusCode.PermissionDenied, (await RefusedAsync(worker, new() { Hello = Hello() })).StatusCode);
    }

    [Fact]
    public async Task Without_a_certificate_nobody_is_served()
    {
        Assert.Equal(StatusCode.Unauthenticated, (await RefusedAsync(null, new() { Hello = Hello() })).StatusCode);
        using GrpcChannel channel = Host.Call(null);
        using AsyncDuplexStreamingCall<SnapshotChunk, SnapshotProgress> call =
            new V1.Raft.RaftClient(channel).InstallSnapshot(cancellationToken: Cancelled);
        Assert.Equal(
            StatusCode.Unauthenticated,
            (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancelled))).StatusCode);
    }

    [Fact]
    public async Task A_certificate_of_another_authority_does_not_come_through_the_handshake()
    {
        using CertificateAuthority other = CertificateAuthority.Create(PeerHost.ClusterId, DateTimeOffset.UtcNow.AddDays(-1));
        NodeIdentity stranger = rig.Identity(2, authority: other);
        Assert.Equal(StatusCode.Unavailable, (await RefusedAsync(stranger, new() { Hello = Hello() })).StatusCode);
    }

    [Fact]
    public async Task A_known_members_certificate_may_have_expired_and_a_strangers_not()
    {
        RpcException protocol = await RefusedAsync(rig.Identity(2, daysAgo: 5), new() { Hello = new(Hello()) { Protocol = 2 } });
        Assert.Contains("Protocol 2 is not spoken here", protocol.Status.Detail, StringComparison.Ordinal);
        RpcException stranger = await RefusedAsync(rig.Identity(3, daysAgo: 5), new() { Hello = Hello() });
        Assert.Equal(StatusCode.PermissionDenied, stranger.StatusCode);
    }

    [Fact]
    public async Task Members_whose_certificates_have_all_expired_still_connect()
    {
        PeerHost first = await PeerHost.StartAsync(rig.Identity(4, daysAgo: 5), 104);
        rig.Add(first);
        PeerHost second = await PeerHost.StartAsync(rig.Identity(5, daysAgo: 5), 105);
        rig.Add(second);
        PeerHost.Acquaint(first, second);
        while (!first.Links.IsConnected(second.Member) || !second.Links.IsConnected(first.Member))
        {
            await Task.Delay(5, Cancelled);
        }
    }

    [Fact]
    public async Task Another_managers_certificate_does_not_speak_for_a_member()
    {
        RpcException refused = await RefusedAsync(rig.Identity(3), new() { Hello = Hello() });
        Assert.Equal(StatusCode.PermissionDenied, refused.StatusCode);
        Assert.Contains("is not member 66", refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_member_that_is_none_is_not_served() =>
        Assert.Equal(StatusCode.PermissionDenied, (await RefusedAsync(static h => h.From = 103)).StatusCode);

    [Fact]
    public async Task A_lower_epoch_is_superseded_and_a_higher_one_supersedes()
    {
        Host.Receiver.Self = Host.Receiver.Self with { Epoch = 5 };
        RpcException lower = await RefusedAsync(static h => h.Epoch = 4);
        Assert.Equal(StatusCode.PermissionDenied, lower.StatusCode);
        Assert.Contains("The caller is superseded: the cluster was begun anew (epoch 5", lower.Status.Detail, StringComparison.Ordinal);
        RpcException higher = await RefusedAsync(static h => h.Epoch = 6);
        Assert.Equal(StatusCode.FailedPrecondition, higher.StatusCode);
        Assert.Contains("This manager is superseded", higher.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_means_another_member_is_told()
    {
        RpcException refused = await RefusedAsync(static h => h.To = 999);
        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Contains("its disk was replaced", refused.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_hello_is_refused()
    {
        Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(friend, new())).StatusCode);
        Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(static h => h.Lane = RaftLane.Unspecified)).StatusCode);
        Assert.Equal(StatusCode.InvalidArgument, (await RefusedAsync(h => h.From = Host.Member.Value)).StatusCode);
        Assert.Equal(StatusCode.PermissionDenied, (await RefusedAsync(static h => h.ClusterId = "another")).StatusCode);
        RpcException protocol = await RefusedAsync(static h => h.Protocol = 2);
        Assert.Contains("Protocol 2 is not spoken here", protocol.Status.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_link_does_not_believe_another_node_at_the_address()
    {
        PeerHost other = await PeerHost.StartAsync(rig.Identity(3), 103);
        rig.Add(other);
        Host.Links.Update([other.Peer with { Node = new(2) }]);
        await Host.Receiver.UnreachableAsync();
        Assert.Contains(Host.Logs.Warnings, static l => l.Contains("is not trusted: it is node", StringComparison.Ordinal));
        Assert.False(Host.Links.IsConnected(other.Member));
    }

    [Theory]
    [InlineData(new byte[] { 0, 0, 0, 0 })]
    [InlineData(new byte[] { 2, 0, 0, 0, 1 })]
    [InlineData(new byte[] { 255, 255, 255, 255, 1 })]
    [InlineData(new byte[] { 1, 0 })]
    public async Task A_batch_that_is_none_ends_the_stream(byte[] batch)
    {
        using GrpcChannel channel = Host.Call(friend);
        using AsyncDuplexStreamingCall<RaftFrames, RaftWelcome> call = new V1.Raft.RaftClient(channel).Exchange(cancellationToken: Cancelled);
        await call.RequestStream.WriteAsync(new() { Hello = Hello() }, Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        await call.RequestStream.WriteAsync(new() { Messages = ByteString.CopyFrom(batch) }, Cancelled);
        RpcException ended = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancelled));
        Assert.Equal(StatusCode.InvalidArgument, ended.StatusCode);
        Assert.True(Host.Receiver.IsEmpty);
    }

    [Fact]
    public async Task A_snapshot_that_broke_goes_on_where_it_was()
    {
        byte[] snapshot = RandomNumberGenerator.GetBytes((2 * SnapshotSender.ChunkBytes) + 100);
        SnapshotChunk first = new()
        {
            Hello = Hello(),
            Announcement = Announcement(1),
            Length = (ulong)snapshot.Length,
            Digest = ByteString.CopyFrom(SHA256.HashData(snapshot)),
        };
        Assert.Equal(0ul, await SendAsync(first, snapshot, chunks: 1, spoil: false));
        Assert.Equal((ulong)SnapshotSender.ChunkBytes, await SendAsync(first, snapshot, chunks: 1, spoil: true));
        Assert.Equal((ulong)SnapshotSender.ChunkBytes, await SendAsync(first, snapshot, chunks: 2, spoil: false));
        Assert.Equal(snapshot, (await Host.Receiver.SnapshotAsync()).Snapshot);

        // Another snapshot of the same member begins at its beginning.
        SnapshotChunk other = first.Clone();
        other.Announcement = Announcement(2);
        Assert.Equal(0ul, await SendAsync(other, snapshot, chunks: 0, spoil: false));
    }

    [Fact]
    public async Task A_snapshot_that_is_not_what_was_announced_is_not_taken()
    {
        byte[] snapshot = [1, 2, 3];
        SnapshotChunk first = new()
        {
            Hello = Hello(),
            Announcement = Announcement(1),
            Length = 3,
            Digest = ByteString.CopyFrom(SHA256.HashData([1, 2, 4])),
        };
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => SendAsync(first, snapshot, chunks: 1, spoil: false));
        Assert.Equal(StatusCode.DataLoss, refused.StatusCode);
        first.Length = ulong.MaxValue;
        refused = await Assert.ThrowsAsync<RpcException>(() => SendAsync(first, snapshot, chunks: 0, spoil: false));
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
    }

    /// <returns>Where the other side let it begin.</returns>
    private async Task<ulong> SendAsync(SnapshotChunk first, byte[] snapshot, int chunks, bool spoil)
    {
        using GrpcChannel channel = Host.Call(friend);
        using AsyncDuplexStreamingCall<SnapshotChunk, SnapshotProgress> call =
            new V1.Raft.RaftClient(channel).InstallSnapshot(cancellationToken: Cancelled);
        await call.RequestStream.WriteAsync(first, Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        ulong begin = call.ResponseStream.Current.Offset;
        int at = (int)begin;
        for (int i = 0; i < chunks; i++)
        {
            ReadOnlySpan<byte> data = snapshot.AsSpan(at, Math.Min(SnapshotSender.ChunkBytes, snapshot.Length - at));
            SnapshotChunk chunk = new()
            {
                Offset = (ulong)at,
                Data = ByteString.CopyFrom(data),
                Checksum = SnapshotSender.Checksum((ulong)at, data) ^ (spoil ? 1u : 0),
            };
            await call.RequestStream.WriteAsync(chunk, Cancelled);
            at += Math.Min(SnapshotSender.ChunkBytes, snapshot.Length - at);
        }

        await call.RequestStream.CompleteAsync();
        if (chunks > 0 && at == snapshot.Length)
        {
            Assert.True(await call.ResponseStream.MoveNext(Cancelled));
            Assert.True(call.ResponseStream.Current.Complete);
        }
        else
        {
            Assert.Equal(
                spoil ? StatusCode.DataLoss : StatusCode.Aborted,
                (await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancelled))).StatusCode);
        }

        return begin;
    }
}

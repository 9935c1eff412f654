using System.Security.Cryptography;
using Overlay.Daemon.Manager.Peers;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager.Peers;

/// <summary>Links between members by real TLS on loopback.</summary>
public sealed class PeerLinksTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Three_members_speak_both_ways_on_both_lanes()
    {
        await using PeerRig rig = new();
        PeerHost[] hosts = await rig.StartAsync(3);
        foreach (PeerHost from in hosts)
        {
            foreach (PeerHost to in hosts.Where(h => h != from))
            {
                await from.DeliverAsync(to, RaftLane.Urgent, 1);
                await from.DeliverAsync(to, RaftLane.Bulk, 2);
                Assert.True(from.Links.IsConnected(to.Member));
            }
        }
    }

    [Fact]
    public async Task Messages_of_a_lane_come_in_order_whatever_their_size()
    {
        await using PeerRig rig = new();
        PeerHost[] hosts = await rig.StartAsync(2);
        await hosts[0].DeliverAsync(hosts[1], RaftLane.Bulk, 0);
        ulong sent = 1;
        ulong seen = 1;
        while (seen < 300)
        {
            int length = (int)(sent % 7 * 300_000);
            if (sent < 300 && hosts[0].Links.TrySend(hosts[1].Member, RaftLane.Bulk, hosts[0].Message(hosts[1], sent, length)))
            {
                sent++;
                continue;
            }

            RaftMessage message = await hosts[1].Receiver.NextAsync();
            if (message.Commit > 0)
            {
                Assert.Equal(seen, message.Commit);
                Assert.Equal((int)(seen % 7 * 300_000), message.Entries.IsEmpty ? 0 : message.Entries.Span[0].Data.Length);
                seen++;
            }
        }
    }

    [Fact]
    public async Task A_member_that_comes_back_at_another_moment_is_found_again()
    {
        await using PeerRig rig = new();
        PeerHost[] hosts = await rig.StartAsync(1);
        PeerHost second = await PeerHost.StartAsync(rig.Identity(2), 102);
        PeerHost.Acquaint(hosts[0], second);
        await hosts[0].DeliverAsync(second, RaftLane.Urgent, 1);
        await second.DeliverAsync(hosts[0], RaftLane.Urgent, 2);
        int port = second.Port;
        await second.DisposeAsync();
        Assert.Equal(second.Member, await hosts[0].Receiver.GoneAsync());
        Assert.Equal(second.Member, await hosts[0].Receiver.UnreachableAsync());
        PeerHost again = await PeerHost.StartAsync(rig.Identity(2), 102, port);
        rig.Add(again);
        again.Receiver.Members[hosts[0].Member] = hosts[0].Identity.Node;
        await hosts[0].DeliverAsync(again, RaftLane.Bulk, 3);
    }

    [Fact]
    public async Task An_outbox_that_is_full_drops_and_says_so()
    {
        await using PeerRig rig = new();
        PeerHost[] hosts = await rig.StartAsync(1);
        PeerHost nobody = await PeerHost.StartAsync(rig.Identity(2), 102);
        await nobody.DisposeAsync();
        hosts[0].Links.Update([new(new(102), new(2), "127.0.0.1:1")]);
        RaftMessage message = hosts[0].Message(nobody, 1, 1 << 20);
        // Each attempt to connect empties the outbox; between two of them far more is sent than fits.
        Assert.False(Enumerable.Range(0, 300).All(_ => hosts[0].Links.TrySend(new(102), RaftLane.Bulk, message)));
        Assert.False(hosts[0].Links.TrySend(new(103), RaftLane.Bulk, message));
        Assert.Equal(new(102), await hosts[0].Receiver.UnreachableAsync());
    }

    [Fact]
    public async Task A_member_that_is_cut_loses_its_streams_and_is_told_why()
    {
        await using PeerRig rig = new();
        PeerHost[] hosts = await rig.StartAsync(2);
        await hosts[0].DeliverAsync(hosts[1], RaftLane.Urgent, 1);
        hosts[1].Receiver.Members.Clear();
        hosts[1].Streams.Cut(static _ => false);
        await hosts[0].Receiver.UnreachableAsync();
        await hosts[0].Receiver.UnreachableAsync();
        await hosts[0].Receiver.UnreachableAsync();
        Assert.Contains(hosts[0].Logs.Warnings, static l => l.Contains("is not member", StringComparison.Ordinal));
        Assert.False(hosts[0].Links.IsConnected(hosts[1].Member));
    }

    [Fact]
    public async Task A_stream_with_another_members_message_is_ended()
    {
        await using PeerRig rig = new();
        PeerHost[] hosts = await rig.StartAsync(2);
        await hosts[0].DeliverAsync(hosts[1], RaftLane.Bulk, 1);
        hosts[0].Links.TrySend(hosts[1].Member, RaftLane.Bulk, hosts[0].Message(hosts[1], 2) with { From = new(999) });
        await hosts[0].Receiver.UnreachableAsync();
        Assert.Contains(hosts[1].Logs.Warnings, static l => l.Contains("cannot be read", StringComparison.Ordinal));
        await hosts[0].DeliverAsync(hosts[1], RaftLane.Bulk, 3);
        Assert.Equal([hosts[0].Member], hosts[1].Receiver.Senders.Distinct());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(SnapshotSender.ChunkBytes)]
    [InlineData((3 * SnapshotSender.ChunkBytes) + 7)]
    public async Task A_snapshot_comes_whole(int length)
    {
        await using PeerRig rig = new();
        PeerHost[] hosts = await rig.StartAsync(2);
        byte[] snapshot = RandomNumberGenerator.GetBytes(length);
        RaftMessage announcement = new()
        {
            Kind = MessageKind.InstallSnapshot,
            From = hosts[0].Member,
            To = hosts[1].Member,
            Term = 3,
            Snapshot = new(7, 2),
            Configuration = Overlay.Raft.Configuration.OfVoters(hosts[0].Member),
        };
        Assert.True(await hosts[0].Links.SendSnapshotAsync(hosts[1].Member, announcement, snapshot, Cancelled));
        (RaftMessage announced, byte[] came) = await hosts[1].Receiver.SnapshotAsync();
        Assert.Equal((announcement.Snapshot, announcement.Configuration), (announced.Snapshot, announced.Configuration));
        Assert.Equal(snapshot, came);
        Assert.False(await hosts[0].Links.SendSnapshotAsync(new(999), announcement, snapshot, Cancelled));
    }
}

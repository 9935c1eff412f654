using System.Net;
using System.Net.Sockets;
using Overlay.Daemon.Names;
using Overlay.Dns;
using Overlay.Tests.Dns;

namespace Overlay.Tests.Daemon.Names;

/// <summary>Raw DNS over real loopback sockets.</summary>
public sealed class NameServerTests
{
    [Fact]
    public async Task Names_are_answered_over_UDP_and_TCP()
    {
        await using NameServerRig rig = new();
        await rig.StartAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        byte[] answer = await rig.AskAsync(NameServerRig.Web, Packets.Query("web.blue"));
        Assert.Equal(["10.0.1.2"], Packets.Addresses(answer));

        using TcpClient client = await rig.ConnectAsync(NameServerRig.Db);
        NetworkStream stream = client.GetStream();
        await stream.WriteAsync(FakeUpstream.Frame(Packets.Query("web", id: 1)), rig.Token);
        await stream.WriteAsync(FakeUpstream.Frame(Packets.Query("x.blue", id: 2)), rig.Token);
        byte[] first = await FakeUpstream.ReadFramedAsync(stream);
        byte[] second = await FakeUpstream.ReadFramedAsync(stream);
        Assert.Equal((1, 2), (first[1], second[1]));
        Assert.Equal(["10.0.1.2"], Packets.Addresses(first));
        Assert.Equal((int)ResponseCode.NameError, second[3] & 15);
        Assert.Equal([2L, 1L], rig.Server.Sandboxes.Select(static s => s.Answered));
    }

    [Fact]
    public async Task A_published_zone_is_in_force_at_once()
    {
        await using NameServerRig rig = new();
        await rig.StartAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        IPEndPoint before = rig.Addresses[NameServerRig.Web];
        rig.Server.Publish(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.9")));
        byte[] answer = await rig.AskAsync(NameServerRig.Web, Packets.Query("web"));
        Assert.Equal(["10.0.1.9"], Packets.Addresses(answer));
        Assert.Equal(before, rig.Addresses[NameServerRig.Web]);
    }

    [Fact]
    public async Task A_sandbox_that_leaves_loses_its_sockets()
    {
        await using NameServerRig rig = new();
        await rig.StartAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        await rig.PublishAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")).Remove(NameServerRig.Web));
        Assert.Equal([NameServerRig.Db], rig.Server.Sandboxes.Select(static s => s.Sandbox));
        await Assert.ThrowsAnyAsync<SocketException>(() => rig.ConnectAsync(NameServerRig.Web));
        await rig.AskAsync(NameServerRig.Db, Packets.Query("web"));
    }

    [Fact]
    public async Task A_taken_port_is_a_problem_and_is_tried_again()
    {
        await using NameServerRig rig = new(new() { CheckInterval = TimeSpan.FromMilliseconds(20) });
        rig.Broken.Add(NameServerRig.Web);
        await rig.StartAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        Assert.Equal(
            [null, "no names in sandbox web: taken"], rig.Server.Sandboxes.Select(static s => s.Problem));
        rig.Broken.Clear();
        while (rig.Server.Sandboxes.Any(static s => s.Problem is not null))
        {
            await rig.PublishAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        }

        await rig.AskAsync(NameServerRig.Web, Packets.Query("web"));
    }

    [Fact]
    public async Task A_namespace_made_anew_gets_new_sockets()
    {
        await using NameServerRig rig = new();
        await rig.StartAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        IPEndPoint before = rig.Addresses[NameServerRig.Web];
        rig.Identity = "2";
        await rig.PublishAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        Assert.NotEqual(before, rig.Addresses[NameServerRig.Web]);
        await rig.AskAsync(NameServerRig.Web, Packets.Query("web"));
    }

    [Fact]
    public async Task Other_names_are_forwarded_over_the_same_transport()
    {
        await using FakeUpstream upstream = new(static query => FakeUpstream.Respond(query, 3));
        await using NameServerRig rig = new(null, upstream.Address);
        await rig.StartAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        byte[] query = Packets.Query("www.example.org");
        Assert.Equal(FakeUpstream.Respond(query, 3), await rig.AskAsync(NameServerRig.Web, query));
        using TcpClient client = await rig.ConnectAsync(NameServerRig.Web);
        await client.GetStream().WriteAsync(FakeUpstream.Frame(query), rig.Token);
        Assert.Equal(FakeUpstream.Respond(query, 3), await FakeUpstream.ReadFramedAsync(client.GetStream()));
        Assert.Equal(2, upstream.Queries);
    }

    [Fact]
    public async Task Services_are_answered_over_both_transports_and_those_of_others_are_asked_for_unchanged()
    {
        byte[] heard = [];
        await using FakeUpstream upstream = new(query =>
        {
            heard = query;
            return FakeUpstream.Respond(query, 3);
        });
        await using NameServerRig rig = new(null, upstream.Address);
        await rig.StartAsync(NameServerRig.Everywhere(Packets.Blue));
        byte[] ours = Packets.Query("_shop._sctp", RecordType.Srv, edns: 1232);
        using TcpClient client = await rig.ConnectAsync(NameServerRig.Web);
        await client.GetStream().WriteAsync(FakeUpstream.Frame(ours), rig.Token);
        foreach (byte[] answer in new[] { await rig.AskAsync(NameServerRig.Db, ours), await FakeUpstream.ReadFramedAsync(client.GetStream()) })
        {
            Assert.Equal(
                ["answer _shop._sctp SRV 0 3 9899 shop1.blue", "additional shop1.blue A 10.0.1.8", "additional shop1.blue AAAA fd00:1::8"],
                Packets.Records(answer));
        }

        Assert.Equal(0, upstream.Queries);
        byte[] query = Packets.Query("_ldap._TCP.corp.example", RecordType.Srv, edns: 4096);
        Assert.Equal(FakeUpstream.Respond(query, 3), await rig.AskAsync(NameServerRig.Web, query));
        Assert.Equal(query[2..], heard[2..]);
    }

    [Fact]
    public async Task An_answer_is_kept_for_all_sandboxes_and_outlives_its_server()
    {
        // One A record of the question's name, for three seconds.
        FakeUpstream upstream = new(static query =>
            [.. FakeUpstream.Respond(query)[..6], 0, 1, 0, 0, 0, 0, .. query[12..], .. Packets.Hex("c00c 0001 0001 00000003 0004 c0000201")]);
        byte[] query = Packets.Query("www.example.org");
        NameServerOptions options = new() { Upstream = new() { StaleAfter = TimeSpan.FromMilliseconds(100) } };
        await using NameServerRig rig = new(options, upstream.Address);
        await rig.StartAsync(NameServerRig.Everywhere());
        byte[] first = await rig.AskAsync(NameServerRig.Web, query);
        Assert.Equal([192, 0, 2, 1], first[^4..]);
        byte[] second = await rig.AskAsync(NameServerRig.Db, query);
        Assert.Equal([192, 0, 2, 1], second[^4..]);
        Assert.Equal(1, upstream.Queries);
        await upstream.DisposeAsync();
        rig.Time.Leap(TimeSpan.FromSeconds(3));
        byte[] stale = await rig.AskAsync(NameServerRig.Db, query);
        Assert.Equal([0, 0, 0, 30, 0, 4, 192, 0, 2, 1], stale[^10..]);
    }

    [Fact]
    public async Task The_next_server_answers_for_one_that_is_gone_fails_or_is_silent()
    {
        FakeUpstream gone = new(static _ => null);
        IPEndPoint nobody = gone.Address;
        await gone.DisposeAsync();
        await using FakeUpstream failing = new(static query => FakeUpstream.Respond(query, 2));
        await using FakeUpstream silent = new(static _ => null);
        await using FakeUpstream good = new(static query => FakeUpstream.Respond(query));
        byte[] query = Packets.Query("www.example.org");
        NameServerOptions options = new() { Upstream = new() { ServerTimeout = TimeSpan.FromMilliseconds(500) } };
        await using (NameServerRig rig = new(options, nobody, failing.Address, good.Address))
        {
            await rig.StartAsync(NameServerRig.Everywhere());
            Assert.Equal(FakeUpstream.Respond(query), await rig.AskAsync(NameServerRig.Web, query));
            Assert.Equal(1, failing.Queries);
        }

        await using (NameServerRig rig = new(options, silent.Address, good.Address))
        {
            await rig.StartAsync(NameServerRig.Everywhere());
            Assert.Equal(FakeUpstream.Respond(query), await rig.AskAsync(NameServerRig.Web, query));
            Assert.Equal(1, silent.Queries);
        }
    }

    [Fact]
    public async Task Silence_everywhere_ends_in_SERVFAIL()
    {
        await using FakeUpstream silent = new(static _ => null);
        NameServerOptions options = new()
        {
            Upstream = new()
            {
                ServerTimeout = TimeSpan.FromMilliseconds(20),
                TotalTimeout = TimeSpan.FromMilliseconds(50),
            },
        };
        await using NameServerRig rig = new(options, silent.Address);
        await rig.StartAsync(NameServerRig.Everywhere());
        byte[] answer = await rig.AskAsync(NameServerRig.Web, Packets.Query("www.example.org"));
        Assert.Equal((0x12, 0x34, 2), (answer[0], answer[1], answer[3] & 15));
    }

    [Fact]
    public async Task Without_servers_the_answer_is_SERVFAIL_at_once()
    {
        await using NameServerRig rig = new();
        await rig.StartAsync(NameServerRig.Everywhere());
        byte[] answer = await rig.AskAsync(NameServerRig.Web, Packets.Query("www.example.org"));
        Assert.Equal((int)ResponseCode.ServerFailure, answer[3] & 15);
    }

    [Fact]
    public async Task Hostile_connections_are_closed()
    {
        NameServerOptions options = new() { MaxTcpConnections = 2, TcpIdleTimeout = TimeSpan.FromMilliseconds(100) };
        await using NameServerRig rig = new(options);
        await rig.StartAsync(NameServerRig.Everywhere(NameServerRig.Blue("10.0.1.2")));
        foreach (byte[] opening in (byte[][])[[0, 0], [0xFF, 0xFF, 1], [0, 5, 1, 2], [0, 3, 1, 2, 3]])
        {
            using TcpClient client = await rig.ConnectAsync(NameServerRig.Web);
            await client.GetStream().WriteAsync(opening, rig.Token);
            Assert.Equal(0, await ReadToEndAsync(client, rig.Token));
        }

        Task<TcpClient>[] connecting = [.. Enumerable.Range(0, 6).Select(_ => rig.ConnectAsync(NameServerRig.Web))];
        foreach (TcpClient client in await Task.WhenAll(connecting))
        {
            Assert.Equal(0, await ReadToEndAsync(client, rig.Token));
            client.Dispose();
        }

        Assert.True(rig.Server.Sandboxes.Single(static s => s.Sandbox == NameServerRig.Web).Dropped >= 4);
        await rig.AskAsync(NameServerRig.Web, Packets.Query("web"));
    }

    private static async Task<int> ReadToEndAsync(TcpClient client, CancellationToken token)
    {
        try
        {
            return await client.GetStream().ReadAsync(new byte[10], token);
        }
        catch (IOException)
        {
            // Reset instead of closed: unread bytes were thrown away.
            return 0;
        }
    }
}

using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Daemon.Agent;
using Overlay.Gossip;
using Overlay.Gossip.Wire;

namespace Overlay.Tests.Gossip;

/// <summary>What a failed dial says of the other host, by real sockets on loopback.</summary>
public sealed class GossipStreamsTests : IAsyncLifetime
{
    private readonly TaskCompletionSource<NodeInput> posted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Socket other = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly GossipStreams streams;

    public GossipStreamsTests()
    {
        streams = new(new(IPAddress.Loopback, 0), posted.TrySetResult, () => Keyring.Plaintext, NullLogger<GossipStreams>.Instance);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
    }

    [Fact]
    public async Task A_port_that_nobody_listens_on_refuses() =>
        Assert.Equal(StreamFailure.Refused, await FailureAsync((IPEndPoint)other.LocalEndPoint!, TimeSpan.FromMinutes(1)));

    [Fact]
    public async Task A_listener_that_accepts_nothing_leaves_the_dial_unanswered()
    {
        other.Listen(1);
        Assert.Equal(
            StreamFailure.Unanswered, await FailureAsync((IPEndPoint)other.LocalEndPoint!, TimeSpan.FromMilliseconds(200)));
    }

    [Fact]
    public async Task An_address_without_a_route_says_nothing_of_the_host() =>
        Assert.Equal(StreamFailure.Unreachable, await FailureAsync(new(IPAddress.Parse("255.255.255.255"), 9), TimeSpan.FromMinutes(1)));

    /// <summary>An IPv4 peer is called by its IPv4 address also where the listener is the wildcard of IPv6.</summary>
    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::1", "::1")]
    [InlineData("::", "127.0.0.1")]
    [InlineData("::", "::1")]
    public async Task Streams_come_by_both_families(string listen, string from)
    {
        TaskCompletionSource<NodeInput> arrived = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using GossipStreams acceptor = Open(IPAddress.Parse(listen), arrived.TrySetResult);
        IPEndPoint to = new(IPAddress.Parse(from), acceptor.Port);
        streams.Dial(new(7, to, StreamCodec.Encode(Hello, Keyring.Plaintext, new(1)), TimeSpan.FromMinutes(1), ExpectsReply: true));
        StreamInput input = Assert.IsType<StreamInput>(await arrived.Task);
        Assert.Equal(IPAddress.Parse(from), input.From.Address);
        acceptor.Reply(new(input.ExchangeId, StreamCodec.Encode(Hello, Keyring.Plaintext, new(1))));
        Assert.Equal(7, Assert.IsType<StreamCompletedInput>(await posted.Task).ExchangeId);
    }

    [Fact]
    public void One_source_has_a_share_of_the_places_and_of_the_memory()
    {
        StreamBudget budget = new(new(5, 1000), new(3, 700));
        IPAddress greedy = IPAddress.Parse("10.0.0.1"), other = IPAddress.Parse("10.0.0.2");
        Assert.Equal([true, true, true, false], Enumerable.Range(0, 4).Select(_ => budget.TryEnter(greedy)));
        Assert.True(budget.TryEnter(other));
        Assert.True(budget.TryEnter(other));
        Assert.False(budget.TryEnter(other));
        budget.Leave(greedy);
        Assert.True(budget.TryEnter(other));
        Assert.True(budget.TryLend(greedy, 600));
        Assert.False(budget.TryLend(greedy, 101));
        Assert.False(budget.TryLend(other, 401));
        Assert.True(budget.TryLend(other, 400));
        budget.GiveBack(greedy, 600);
        Assert.True(budget.TryLend(greedy, 600));
    }

    /// <summary>Sixteen that never say anything, and a seventeenth of the same address, which is closed at once.</summary>
    [Fact]
    public async Task Silent_connections_of_one_address_do_not_take_all_places()
    {
        await using GossipStreams acceptor = Open(IPAddress.Loopback, static _ => true);
        List<Socket> silent = [];
        for (int i = 0; i < 17; i++)
        {
            Socket connection = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            silent.Add(connection);
            await connection.ConnectAsync(new IPEndPoint(IPAddress.Loopback, acceptor.Port), TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, await silent[16].ReceiveAsync(new byte[1], TestContext.Current.CancellationToken));
        silent.ForEach(static s => s.Dispose());
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        other.Dispose();
        await streams.DisposeAsync();
    }

    private static readonly GossipMessage Hello = new GossipMessage.Ack(1, []);

    private static GossipStreams Open(IPAddress listen, Func<NodeInput, bool> post) =>
        new(new(listen, 0), post, () => Keyring.Plaintext, NullLogger<GossipStreams>.Instance);

    private async Task<StreamFailure> FailureAsync(IPEndPoint to, TimeSpan limit)
    {
        streams.Dial(new(1, to, new byte[] { 1 }, limit, ExpectsReply: true));
        return Assert.IsType<StreamFailedInput>(await posted.Task).Failure;
    }
}

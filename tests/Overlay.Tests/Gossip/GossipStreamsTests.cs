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

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        other.Dispose();
        await streams.DisposeAsync();
    }

    private async Task<StreamFailure> FailureAsync(IPEndPoint to, TimeSpan limit)
    {
        streams.Dial(new(1, to, new byte[] { 1 }, limit, ExpectsReply: true));
        return Assert.IsType<StreamFailedInput>(await posted.Task).Failure;
    }
}

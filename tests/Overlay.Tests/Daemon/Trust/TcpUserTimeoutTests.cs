using System.Net;
using System.Net.Sockets;
using Overlay.Daemon.Trust;

namespace Overlay.Tests.Daemon.Trust;

public sealed class TcpUserTimeoutTests
{
    [Fact]
    public async Task What_a_listener_accepts_has_its_limit()
    {
        using Socket listener = Listener();
        TcpUserTimeout.Set(listener);
        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!, TestContext.Current.CancellationToken);

        using Socket accepted = await listener.AcceptAsync(TestContext.Current.CancellationToken);

        Assert.Equal(TcpUserTimeout.Limit, TcpUserTimeout.Of(accepted));
        Assert.Equal(TimeSpan.Zero, TcpUserTimeout.Of(client));
    }

    [Fact]
    public async Task A_channel_connects_with_it()
    {
        using Socket listener = Listener();
        List<Stream> opened = [];
        using SocketsHttpHandler handler = new()
        {
            ConnectCallback = async (context, cancellation) =>
            {
                opened.Add(await TcpUserTimeout.ConnectAsync(context, cancellation));
                return opened[^1];
            },
        };
        using HttpMessageInvoker client = new(handler);
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using HttpRequestMessage request = new(HttpMethod.Get, $"http://{listener.LocalEndPoint}/");

        Task<HttpResponseMessage> asked = client.SendAsync(request, enough.Token);
        using Socket accepted = await listener.AcceptAsync(TestContext.Current.CancellationToken);
        byte[] first = new byte[4];
        await accepted.ReceiveAsync(first, TestContext.Current.CancellationToken);

        NetworkStream stream = Assert.IsType<NetworkStream>(Assert.Single(opened));
        Assert.Equal((TcpUserTimeout.Limit, true), (TcpUserTimeout.Of(stream.Socket), stream.Socket.NoDelay));
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    [Fact]
    public async Task Nobody_there_is_an_error_of_the_socket()
    {
        using Socket closed = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using SocketsHttpHandler handler = new() { ConnectCallback = TcpUserTimeout.ConnectAsync };
        using HttpMessageInvoker client = new(handler);
        using HttpRequestMessage request = new(HttpMethod.Get, $"http://{closed.LocalEndPoint}/");

        HttpRequestException refused = await Assert.ThrowsAsync<HttpRequestException>(
            () => client.SendAsync(request, TestContext.Current.CancellationToken));

        Assert.Equal(HttpRequestError.ConnectionError, refused.HttpRequestError);
    }

    [Fact]
    public async Task Who_accepts_nobody_is_not_waited_for_long()
    {
        // A listener whose queue is full drops what comes: the kernel would go on asking for two minutes.
        using Socket full = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        using Socket taken = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await taken.ConnectAsync(full.LocalEndPoint!, TestContext.Current.CancellationToken);
        using SocketsHttpHandler handler = new() { ConnectCallback = TcpUserTimeout.ConnectAsync };
        using HttpMessageInvoker client = new(handler);
        using HttpRequestMessage request = new(HttpMethod.Get, $"http://{full.LocalEndPoint}/");

        HttpRequestException silent = await Assert.ThrowsAsync<HttpRequestException>(
            () => client.SendAsync(request, TestContext.Current.CancellationToken));

        Assert.Contains("it does not answer", silent.Message, StringComparison.Ordinal);
    }

    private static Socket Listener()
    {
        Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        return listener;
    }
}

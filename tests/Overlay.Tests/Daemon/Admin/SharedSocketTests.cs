using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Overlay.Daemon.Admin;

namespace Overlay.Tests.Daemon.Admin;

/// <summary>Both protocols on one real socket of a real Kestrel.</summary>
public sealed class SharedSocketTests : IAsyncLifetime
{
    private const string Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    private readonly ManualTime time = new(new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero));
    private readonly TemporaryFolder folder = new();
    private readonly WebApplication application;

    public SharedSocketTests()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(static options => options.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        builder.WebHost.UseKestrelCore();
        SharedSocket.Listen(builder.WebHost, Path, time);
        application = builder.Build();
        application.UseRouting();
        application.MapGet("/protocol", context => context.Response.WriteAsync(context.Request.Protocol));
        application.MapPost("/echo", async context =>
        {
            using StreamReader body = new(context.Request.Body);
            await context.Response.WriteAsync(await body.ReadToEndAsync(context.RequestAborted));
        });
        application.MapPut("/put", context => context.Response.WriteAsync("put"));
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Path => System.IO.Path.Combine(folder.Path, "s.sock");

    public async ValueTask InitializeAsync() => await application.StartAsync(Token);

    public async ValueTask DisposeAsync()
    {
        await application.DisposeAsync();
        folder.Dispose();
        time.Dispose();
    }

    [Theory]
    [InlineData(1, "HTTP/1.1")]
    [InlineData(2, "HTTP/2")]
    public async Task Each_version_is_served_again_and_again_on_one_connection(int major, string protocol)
    {
        int connections = 0;
        using HttpClient client = Client(major, () => connections++);
        for (int i = 0; i < 5; i++)
        {
            Assert.Equal(protocol, await client.GetStringAsync("http://localhost/protocol", Token));
        }

        string body = new('x', 300_000);
        using HttpResponseMessage echoed = await client.PostAsync("http://localhost/echo", new StringContent(body), Token);
        Assert.Equal(body, await echoed.Content.ReadAsStringAsync(Token));
        Assert.Equal(1, connections);
    }

    [Fact]
    public async Task Many_of_both_at_once()
    {
        int connections = 0;
        string[] answers = await Task.WhenAll(Enumerable.Range(0, 120).Select(async i =>
        {
            using HttpClient client = Client(1 + (i % 2), () => Interlocked.Increment(ref connections));
            return await client.GetStringAsync("http://localhost/protocol", Token);
        }));
        Assert.Equal((60, 60, 120), (answers.Count(static a => a == "HTTP/1.1"), answers.Count(static a => a == "HTTP/2"), connections));
    }

    [Theory]
    [InlineData("GET /protocol HTTP/1.1\r\nHost:\r\n\r\n", "HTTP/1.1 200 OK")]
    [InlineData("PUT /put HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK")]
    [InlineData("PRINT / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found")]
    [InlineData("\0\0\0\0\r\n\r\n", "HTTP/1.1 400 Bad Request")]
    [InlineData(Preface + "\0\0\0\u0004\0\0\0\0\0", "\0\0")]
    public async Task Octet_by_octet_nothing_is_lost(string request, string answer)
    {
        using Socket socket = await ConnectAsync();
        try
        {
            foreach (byte octet in Encoding.Latin1.GetBytes(request))
            {
                // Its own segment, mostly; the verdict is the same if two arrive together.
                await socket.SendAsync(new[] { octet }, Token);
                await Task.Yield();
            }
        }
        catch (SocketException)
        {
            // Refused before it was whole: the answer is there.
        }

        Assert.StartsWith(answer, await ReadAsync(socket, answer.Length), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("P")]
    [InlineData("PRI")]
    public async Task Who_ends_before_it_said_enough_gets_no_answer(string said)
    {
        using Socket socket = await ConnectAsync();
        await socket.SendAsync(Encoding.Latin1.GetBytes(said), Token);
        socket.Shutdown(SocketShutdown.Send);
        Assert.Equal("", await ReadAsync(socket, 1));
    }

    [Theory]
    [InlineData("")]
    [InlineData("PR")]
    public async Task Who_says_too_little_is_let_go(string said)
    {
        using Socket socket = await ConnectAsync();
        await socket.SendAsync(Encoding.Latin1.GetBytes(said), Token);
        await time.PassToNextTimerAsync(Token);
        Assert.Equal("", await ReadAsync(socket, 1));
        using HttpClient next = Client(1, static () => { });
        Assert.Equal("HTTP/1.1", await next.GetStringAsync("http://localhost/protocol", Token));
    }

    [Fact(Timeout = 30_000)]
    public async Task Open_connections_of_both_do_not_hold_the_end_up()
    {
        using HttpClient first = Client(1, static () => { });
        using HttpClient second = Client(2, static () => { });
        await first.GetStringAsync("http://localhost/protocol", Token);
        await second.GetStringAsync("http://localhost/protocol", Token);
        using Socket silent = await ConnectAsync();
        await application.StopAsync(Token);
        Assert.Equal("", await ReadAsync(silent, 1));
    }

    private async Task<Socket> ConnectAsync()
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path), Token);
        return socket;
    }

    private static async Task<string> ReadAsync(Socket socket, int count)
    {
        byte[] buffer = new byte[4096];
        int length = 0;
        try
        {
            while (length < count && await socket.ReceiveAsync(buffer.AsMemory(length), Token) is > 0 and var read)
            {
                length += read;
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Let go by force; what came before counts.
        }

        return Encoding.Latin1.GetString(buffer, 0, length);
    }

    private HttpClient Client(int major, Action connected) => new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, _) =>
        {
            connected();
            return new NetworkStream(await ConnectAsync(), ownsSocket: true);
        },
    })
    {
        DefaultRequestVersion = new(major, major == 1 ? 1 : 0),
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };
}

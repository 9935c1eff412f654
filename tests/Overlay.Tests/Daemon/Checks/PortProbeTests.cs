using System.Net;
using System.Net.Sockets;
using System.Text;
using Overlay.Daemon.Checks;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Checks;

/// <summary>A port is asked, on loopback.</summary>
public sealed class PortProbeTests : IDisposable
{
    private readonly TcpListener server = new(IPAddress.Loopback, 0);

    public PortProbeTests() => server.Start();

    public void Dispose() => server.Dispose();

    [Fact]
    public async Task A_port_that_takes_connections_is_well_whoever_serves_it() => await AskAsync(HealthKind.Tcp);

    [Theory]
    [InlineData(HealthKind.Tcp)]
    [InlineData(HealthKind.Http)]
    public async Task A_port_that_nobody_serves(HealthKind kind)
    {
        int port = Port;
        server.Stop();
        ProbeFault fault = await Assert.ThrowsAsync<ProbeFault>(() => AskAsync(kind, port: port));
        Assert.Equal("connection refused", fault.Message);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(204)]
    [InlineData(302)]
    [InlineData(399)]
    public async Task A_good_status_is_well_and_no_redirection_is_followed(int status)
    {
        Task<string> served = ServeAsync($"HTTP/1.1 {status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
        await AskAsync(HealthKind.Http, "/a?b");
        string request = await served;
        Assert.Equal(
            $"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:{Port}\r\nUser-Agent: overlayd\r\nAccept: */*\r\nConnection: close\r\n\r\n", request);
        Assert.False(server.Pending());
    }

    [Theory]
    [InlineData("HTTP/1.1 400 X\r\n\r\n", "status 400")]
    [InlineData("HTTP/1.1 503 X\r\nContent-Length: 5\r\n\r\nfever", "status 503")]
    [InlineData("HTTP/1.1 101 X\r\n\r\n", "status 101")]
    [InlineData("", "closed without an answer")]
    [InlineData("HTTP/1.1 2", "closed before the end of its status")]
    [InlineData("220 mail.example ESMTP\r\n", "the answer is not HTTP/1.1")]
    public async Task Any_other_answer_is_not(string answer, string says)
    {
        Task served = ServeAsync(answer);
        ProbeFault fault = await Assert.ThrowsAsync<ProbeFault>(() => AskAsync(HealthKind.Http));
        Assert.Equal(says, fault.Message);
        await served;
    }

    [Fact]
    public async Task An_answer_without_end_is_not_read_without_end()
    {
        Task served = ServeAsync("HTTP/1.1 " + new string(' ', 1 << 20));
        ProbeFault fault = await Assert.ThrowsAsync<ProbeFault>(() => AskAsync(HealthKind.Http));
        Assert.Equal("no status in 16384 octets", fault.Message);
        await Assert.ThrowsAnyAsync<IOException>(() => served);
    }

    [Fact]
    public async Task A_server_that_says_nothing_is_given_up_when_the_time_is_over()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromMilliseconds(150));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => AskAsync(HealthKind.Http, limit: limit.Token));
    }

    [Fact]
    public async Task A_body_of_a_moderate_length_is_taken_to_its_end_so_that_its_server_sees_no_error()
    {
        Task served = ServeAsync("HTTP/1.1 200 X\r\n\r\n" + new string('x', 50_000));
        await AskAsync(HealthKind.Http);
        await served;
    }

    private int Port => ((IPEndPoint)server.LocalEndpoint).Port;

    private async Task AskAsync(HealthKind kind, string path = "/", int? port = null, CancellationToken? limit = null)
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        HealthProbe probe = new(
            1, new EndpointId(1), "web", new("box"), IPAddress.Loopback, kind, port ?? Port, kind == HealthKind.Http ? path : "", "",
            TimeSpan.FromSeconds(5));
        await PortProbe.AskAsync(socket, probe, TimeProvider.System, limit ?? TestContext.Current.CancellationToken);
    }

    /// <summary>Reads one request, says that, and closes when the other end has.</summary>
    private async Task<string> ServeAsync(string answer)
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using TcpClient client = await server.AcceptTcpClientAsync(stop);
        NetworkStream stream = client.GetStream();
        byte[] buffer = new byte[4096];
        StringBuilder request = new();
        while (!request.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            request.Append(Encoding.ASCII.GetString(buffer, 0, await stream.ReadAsync(buffer, stop)));
        }

        await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), stop);
        client.Client.Shutdown(SocketShutdown.Send);
        while (await stream.ReadAsync(buffer, stop) > 0)
        {
        }

        return request.ToString();
    }
}

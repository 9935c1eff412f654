using System.Net.Sockets;
using Grpc.Net.Client;

namespace Overlay.Bench;

/// <summary>
/// One host of a lab, seen from outside: its files are reached through the root of the process that holds the
/// host's namespaces, so that nothing needs to be started inside.
/// </summary>
internal sealed class LabHost : IDisposable
{
    private readonly string root;
    private readonly SocketsHttpHandler handler;
    private readonly GrpcChannel channel;

    public LabHost(string lab, int number)
    {
        root = $"/proc/{File.ReadAllText($"{lab}/host{number}/pid").Trim()}/root";
        handler = new() { ConnectCallback = ConnectAsync, UseProxy = false };
        channel = GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions { HttpHandler = handler });
        Client = new(channel);
    }

    public V1.Admin.AdminClient Client { get; }

    public string SocketPath => $"{root}/run/overlayd/overlayd.sock";

    public string NamespacePath(string sandbox) => $"{root}/run/netns/{sandbox}";

    public void Dispose()
    {
        channel.Dispose();
        handler.Dispose();
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken stop)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), stop);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}

using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager.Peers;

/// <summary>One member on a loopback port with TLS: the serving side, links to others, and a receiver that records.</summary>
internal sealed class PeerHost : IAsyncDisposable
{
    public const string ClusterId = "0123456789abcdef";

    private readonly Instruments instruments = new();
    private readonly CapturedLogs logs = new();
    private readonly WebApplication application;

    private PeerHost(NodeIdentity identity, MemberId member, int port)
    {
        Identity = identity;
        Receiver = new(new(ClusterId, member, 1));
        application = PeerApi.Build(Identity, port, Receiver, Streams, instruments, logs.Factory);
        Links = new(new()
        {
            Identity = identity,
            Receiver = Receiver,
            NewPrng = () => new(member.Value),
            Time = TimeProvider.System,
            Instruments = instruments,
            Logger = logs.CreateLogger("links"),
            OutboxBytes = 4 << 20,
        });
    }

    public NodeIdentity Identity { get; }

    public RecordingReceiver Receiver { get; }

    public PeerLinks Links { get; }

    public IncomingStreams Streams { get; } = new();

    public CapturedLogs Logs => logs;

    public MemberId Member => Receiver.Self.Member;

    public string Address => new Uri(application.Urls.Single()).Authority;

    public int Port => new Uri(application.Urls.Single()).Port;

    public PeerAddress Peer => new(Member, Identity.Node, Address);

    public static async Task<PeerHost> StartAsync(NodeIdentity identity, ulong member, int port = 0)
    {
        PeerHost host = new(identity, new(member), port);
        await host.application.StartAsync(TestContext.Current.CancellationToken);
        return host;
    }

    /// <summary>Each knows all others, and has links to them.</summary>
    public static void Acquaint(params PeerHost[] hosts)
    {
        foreach (PeerHost host in hosts)
        {
            PeerHost[] others = [.. hosts.Where(h => h != host)];
            Array.ForEach(others, o => host.Receiver.Members[o.Member] = o.Identity.Node);
            host.Links.Update([.. others.Select(static o => o.Peer)]);
        }
    }

    /// <summary>A caller of its own that presents any identity, or none.</summary>
    public GrpcChannel Call(NodeIdentity? own) => ManagerEndpoint.OpenWith(
        Address, own?.Presented,
        (peer, along) => ChainVerifier.Fault(peer, along, Identity.Roots, ClusterId, NodeRole.Manager, DateTimeOffset.UtcNow));

    /// <summary>A message that carries a number, and as many bytes of an entry.</summary>
    public RaftMessage Message(PeerHost to, ulong number, int length = 0) => new()
    {
        Kind = MessageKind.Append,
        From = Member,
        To = to.Member,
        Term = 1,
        Commit = number,
        Entries = length == 0 ? default : new LogEntry[] { new(1, 1, new byte[length]) },
    };

    /// <summary>Sends until it arrives: what is sent before there is a connection may be lost.</summary>
    public async Task DeliverAsync(PeerHost to, RaftLane lane, ulong number)
    {
        while (true)
        {
            Links.TrySend(to.Member, lane, Message(to, number));
            await Task.Delay(5, TestContext.Current.CancellationToken);
            while (!to.Receiver.IsEmpty)
            {
                RaftMessage came = await to.Receiver.NextAsync();
                if (came.From == Member && came.Commit == number)
                {
                    return;
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Links.DisposeAsync();
        await application.StopAsync(new CancellationToken(canceled: true));
        await application.DisposeAsync();
        logs.Factory.Dispose();
        logs.Dispose();
        instruments.Dispose();
    }
}

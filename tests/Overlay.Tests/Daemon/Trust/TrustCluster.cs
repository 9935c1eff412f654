using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

/// <summary>One real manager on a loopback port, with its certificate authority and its log in a folder of its own.</summary>
internal sealed class TrustCluster : IAsyncDisposable
{
    public const string ClusterId = "0123456789abcdef";
    public static readonly NodeId ManagerNode = new(1);

    private readonly TemporaryFolder folder = new();
    private readonly byte[] workerSecret = RandomNumberGenerator.GetBytes(16);
    private readonly byte[] managerSecret = RandomNumberGenerator.GetBytes(16);
    private readonly Instruments instruments = new();
    private int identities;
    private ManagerServer? server;

    private TrustCluster()
    {
        // Older than any certificate a test wants to have expired.
        Authority = CertificateAuthority.Create(ClusterId, DateTimeOffset.UtcNow.AddDays(-30));
        Manager = Identity(Authority, ManagerNode, NodeRole.Manager);
    }

    public CertificateAuthority Authority { get; }

    public NodeIdentity Manager { get; }

    public CapturedLogs Logs { get; } = new();

    public Instruments Instruments => instruments;

    public ManagerLoop Loop => server!.Loop;

    public LockKeeper Locking => server!.Locking;

    public string StateFolder => folder.Sub("manager");

    /// <summary>Where the manager's node has its key and certificate.</summary>
    public string ManagerFolder => Path.Combine(folder.Path, "identity1");

    public string Address => server!.Endpoint.ToString();

    public string WorkerToken => JoinToken.For(Authority.CertificateDer, workerSecret).Format();

    public string ManagerToken => JoinToken.For(Authority.CertificateDer, managerSecret).Format();

    public static NodeDescription Description(int number = 7) => new()
    {
        Hostname = $"host{number}",
        GossipAddress = $"127.0.0.{number}:7946",
        DataPathAddress = $"127.0.0.{number}",
        ControlAddress = $"127.0.0.{number}:2377",
        AgentVersion = "1.0",
    };

    public static async Task<TrustCluster> StartAsync(CancellationToken cancellationToken)
    {
        TrustCluster cluster = new();
        BootstrapSpec spec = new()
        {
            ClusterId = ClusterId,
            CaCertificate = ByteString.CopyFrom(cluster.Authority.CertificateDer),
            CaKey = ByteString.CopyFrom(cluster.Authority.ExportKey()),
            WorkerSecret = ByteString.CopyFrom(cluster.workerSecret),
            ManagerSecret = ByteString.CopyFrom(cluster.managerSecret),
            GossipKey = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(32)),
            FirstManager = NodeDescriptions.ToNode(ManagerNode, Description(1)),
        };
        spec.FirstManager.ControlAddress = "127.0.0.1:2377";
        Outcome<Proposal<ClusterObject>> made = new Intent(ClusterState.Empty, "", 1_000_000).Bootstrap(spec);
        Assert.False(made.IsRefused, made.Refusal?.ToString());
        ManagerServer.CreateLog(cluster.StateFolder, made.Value);
        await cluster.StartServerAsync([], cancellationToken);
        return cluster;
    }

    /// <summary>The manager again, on its disk.</summary>
    public async Task StartServerAsync(byte[] unlockKey, CancellationToken cancellationToken)
    {
        MembershipRecord record = new()
        {
            ClusterId = ClusterId,
            NodeId = ManagerNode.ToString(),
            GossipAddress = "127.0.0.1:7946",
            DataPathAddress = "127.0.0.1",
            ListenAddress = "127.0.0.1:0",
            ControlAddress = "127.0.0.1:2377",
        };
        AgentServices services = Services(StateFolder, instruments, Logs.Factory);
        services.Lock.Key = unlockKey;
        server = await ManagerServer.StartAsync(
            record, Manager, new(services, Logs.Factory.CreateLogger<AgentHost>()), [], cancellationToken);
    }

    /// <summary>An identity that any authority signs; by default one of this cluster that is valid now.</summary>
    public NodeIdentity Identity(
        CertificateAuthority authority, NodeId node, NodeRole role, string clusterId = ClusterId, int daysAgo = 0) =>
        NodeIdentity.Create(
            folder.Sub($"identity{++identities}"), authority, node, role, clusterId, TimeSpan.FromDays(1),
            DateTimeOffset.UtcNow.AddDays(-daysAgo));

    public NodeIdentity Worker() => Identity(Authority, new(9), NodeRole.Worker);

    /// <summary>A caller that believes this cluster's manager and presents whatever it is given.</summary>
    public GrpcChannel Call(NodeIdentity? own) => ManagerEndpoint.OpenWith(
        Address, own?.Presented,
        (peer, along) => ChainVerifier.Fault(peer, along, Manager.Roots, ClusterId, NodeRole.Manager, DateTimeOffset.UtcNow));

    public Task<Outcome<NodeIdentity>> JoinAsync(
        string token, CancellationToken cancellationToken, string? through = null, int number = 7) =>
        BootstrapClient.JoinAsync(
            token, [through ?? Address], Description(number), folder.Sub($"join{++identities}"), TimeProvider.System,
            cancellationToken);

    /// <summary>One line tells of the refusal, and no line of all tells a secret.</summary>
    public void ToldOnce(params string[] fragments)
    {
        string line = Assert.Single(Logs.Warnings);
        Assert.All(fragments, fragment => Assert.Contains(fragment, line, StringComparison.Ordinal));
        NoSecretIsTold();
    }

    public void NoSecretIsTold()
    {
        string all = string.Join('\n', Logs.Lines.Select(static l => l.Text));
        foreach (byte[] secret in (byte[][])[workerSecret, managerSecret, Authority.ExportKey()])
        {
            Assert.DoesNotContain(Convert.ToHexString(secret), all, StringComparison.OrdinalIgnoreCase);
            Assert.DoesNotContain(Convert.ToBase64String(secret), all, StringComparison.Ordinal);
        }

        foreach (string token in (string[])[WorkerToken, ManagerToken])
        {
            Assert.DoesNotContain(token[(token.LastIndexOf('-') + 1)..], all, StringComparison.Ordinal);
        }
    }

    public async Task StopServerAsync()
    {
        if (server is { } running)
        {
            server = null;
            await running.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopServerAsync();

        Logs.Factory.Dispose();
        Logs.Dispose();
        instruments.Dispose();
        Authority.Dispose();
        folder.Dispose();
    }

    /// <summary>A manager uses settings, clock, instruments and logs; of the rest it knows nothing.</summary>
    private static AgentServices Services(string state, Instruments instruments, ILoggerFactory logs)
    {
        AgentSettings settings = new()
        {
            ConfigurationFile = "",
            StateFolder = state,
            RuntimeFolder = state,
            SocketPath = "",
            SocketGroup = "",
            HostName = "host1",
            AdvertiseAddress = "",
            ListenAddress = "",
            DataPathAddress = "",
            GossipPort = 7946,
            ManagerPort = 2377,
            VxlanPort = 4789,
            MetricsAddress = null,
            GatewayPools = [],
            DnsServers = [],
            DnsTtl = TimeSpan.FromSeconds(5),
            DnsNegativeTtl = TimeSpan.FromSeconds(1),
            LoadBalancer = default,
            ReconcileInterval = TimeSpan.FromSeconds(30),
            AgentDownHold = TimeSpan.FromMinutes(5),
            GossipKeyRotation = TimeSpan.Zero,
            Gossip = Overlay.Gossip.SwimOptions.Lan,
            LogLevel = LogLevel.Trace,
            LogFormat = default,
            Values = [],
        };
        return new(settings, new(TimeProvider.System), null!, null!, null!, null!, null!, null!, null!, default, default, instruments, logs);
    }
}

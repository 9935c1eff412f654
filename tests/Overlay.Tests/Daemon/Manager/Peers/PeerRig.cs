using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager.Peers;

/// <summary>A cluster's authority and the members that a test starts.</summary>
internal sealed class PeerRig : IAsyncDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly List<PeerHost> hosts = [];
    private int identities;

    public CertificateAuthority Authority { get; } = CertificateAuthority.Create(PeerHost.ClusterId, DateTimeOffset.UtcNow.AddDays(-30));

    public NodeIdentity Identity(
        ulong node, NodeRole role = NodeRole.Manager, CertificateAuthority? authority = null, string clusterId = PeerHost.ClusterId,
        int daysAgo = 0) =>
        NodeIdentity.Create(
            folder.Sub($"identity{++identities}"), authority ?? Authority, new NodeId(node), role, clusterId, TimeSpan.FromDays(1),
            DateTimeOffset.UtcNow.AddDays(-daysAgo));

    /// <summary>Members 101, 102, … on nodes 1, 2, …, each with links to all others.</summary>
    public async Task<PeerHost[]> StartAsync(int count)
    {
        for (ulong node = 1; node <= (ulong)count; node++)
        {
            hosts.Add(await PeerHost.StartAsync(Identity(node), 100 + node));
        }

        PeerHost.Acquaint([.. hosts]);
        return [.. hosts];
    }

    public void Add(PeerHost host) => hosts.Add(host);

    public async ValueTask DisposeAsync()
    {
        foreach (PeerHost host in hosts)
        {
            await host.DisposeAsync();
        }

        Authority.Dispose();
        folder.Dispose();
    }
}

using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Bench.Raft;

/// <summary>
/// The agents of hosts 1 to 3 of a lab, managers of one cluster. Host 4 is a worker of it whose agent is stopped: what is
/// written is written in its name, so that no agent has the objects to look after.
/// </summary>
/// <param name="lab">The lab's folder.</param>
/// <param name="tool">deploy/lab.</param>
internal sealed class AgentCluster(string lab, string tool) : RaftCluster
{
    private readonly string lab = lab;
    private const string NetworkName = "bench";
    private readonly NodeIdentity worker = NodeIdentity.Load($"{lab}/host4/state");
    private readonly NodeIdentity manager = NodeIdentity.Load($"{lab}/host1/state");
    private string network = "";

    public override string Name => "overlayd";

    public async Task CreateNetworkAsync()
    {
        using LabHost host = new(lab, 1);
        V1.ListNetworksResponse present = await host.Client.ListNetworksAsync(new());
        network = present.Networks.FirstOrDefault(static n => n.Network.Name == NetworkName)?.Network.Id
            ?? (await host.Client.CreateNetworkAsync(new() { Name = NetworkName, Subnets = { "10.0.0.0/8" } })).Network.Id;
    }

    public override int Pid(int member)
    {
        string host = File.ReadAllText($"{lab}/host{member + 1}/pid").Trim();
        using Process search = Process.Start(new ProcessStartInfo("pgrep", ["--ns", host, "--nslist", "pid", "-f", "overlayd run"])
        {
            RedirectStandardOutput = true,
        })!;
        return int.Parse(search.StandardOutput.ReadToEnd().Split('\n')[0], CultureInfo.InvariantCulture);
    }

    public override async Task StartAsync(int member)
    {
        ProcessStartInfo info = new(tool, ["restart", (member + 1).ToString(CultureInfo.InvariantCulture)]);
        info.Environment["OVERLAYD_LAB"] = Path.GetFileName(lab);
        using Process started = Process.Start(info)!;
        await started.WaitForExitAsync();
        if (started.ExitCode != 0)
        {
            throw new InvalidOperationException($"the agent of host {member + 1} did not start");
        }
    }

    public override IRaftClient Connect(int member, int connections) => new Client(this, member, connections);

    /// <summary>
    /// A write reserves an address that was never reserved, with a request id, as an agent does for `attach --ip`; a read
    /// lists the nodes, four of about 150 octets each.
    /// </summary>
    private sealed class Client(AgentCluster cluster, int member, int connections) : IRaftClient
    {
        private const int EntryBytes = 224;
        private const uint FirstAddress = (10u << 24) + (64 << 16);

        private readonly string address = $"192.168.50.{member + 1}:2377";
        private readonly GrpcChannel[] channels = new GrpcChannel[connections];

        public async Task WriteAsync(int connection, CancellationToken cancellationToken) =>
            await new Agent.AgentClient(Channel(connection, cluster.worker)).ReserveAddressAsync(
                NewRequest(cluster.Next()), cancellationToken: cancellationToken);

        public async Task ReadAsync(int connection, CancellationToken cancellationToken) =>
            await new Control.ControlClient(Channel(connection, cluster.manager)).ListNodesAsync(new(), cancellationToken: cancellationToken);

        public async Task<string?> FollowsAsync(CancellationToken cancellationToken)
        {
            try
            {
                using LabHost host = new(cluster.lab, member + 1);
                V1.StatusResponse status = await host.Client.GetStatusAsync(
                    new(), deadline: DateTime.UtcNow.AddSeconds(1), cancellationToken: cancellationToken);
                return status.Managers?.Role is "leader" ? null : status.Managers?.Role ?? "no manager";
            }
            catch (RpcException e)
            {
                return e.Status.Detail;
            }
        }

        public void Dispose()
        {
            foreach (GrpcChannel? channel in channels)
            {
                channel?.Dispose();
            }
        }

        /// <summary>A client's calls are all of one kind, so the first one's certificate is that of all.</summary>
        private GrpcChannel Channel(int connection, NodeIdentity identity)
        {
            lock (channels)
            {
                return channels[connection] ??= ManagerEndpoint.Open(address, identity, TimeProvider.System);
            }
        }

        private ReserveAddressRequest NewRequest(long number)
        {
            uint chosen = FirstAddress + (uint)number;
            string text = $"{chosen >> 24}.{(chosen >> 16) & 255}.{(chosen >> 8) & 255}.{chosen & 255}";
            ReserveAddressRequest request = new()
            {
                NetworkId = cluster.network,
                Address = text,
                EndpointId = new EndpointId((ulong)number).ToString(),
            };
            request.RequestId = number.ToString(CultureInfo.InvariantCulture).PadLeft(EntryBytes - SizeOf(request), '0');
            return request;
        }

        /// <summary>Of the entry of a request without an id, with the two octets that frame the id.</summary>
        private int SizeOf(ReserveAddressRequest request) => 2 + new Transaction
        {
            UnixMs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(),
            Actions =
            {
                new StoreAction
                {
                    Create = new()
                    {
                        Reservation = new()
                        {
                            Id = $"{request.NetworkId}/{request.Address}", NetworkId = request.NetworkId, Address = request.Address,
                            NodeId = cluster.worker.Node.ToString(), EndpointId = request.EndpointId,
                        },
                    },
                },
            },
        }.CalculateSize();
    }
}

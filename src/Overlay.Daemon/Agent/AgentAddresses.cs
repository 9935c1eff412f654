using System.Net;
using System.Net.Sockets;
using Overlay.Cluster;
using Overlay.Daemon.Configuration;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>The addresses a node uses in a cluster, chosen from what the operator said and what the host has.</summary>
internal sealed record AgentAddresses(IPEndPoint Gossip, IPAddress DataPath, IPEndPoint Listen, IPEndPoint Control)
{
    public static Outcome<AgentAddresses> Choose(
        AgentSettings settings, string advertise, string listen, string dataPath, IEnumerable<string>? towards = null)
    {
        Outcome<IPAddress> advertised = AddressSelection.Select("--advertise-addr", advertise, towards);
        if (advertised.Refusal is { } unclear)
        {
            return unclear;
        }

        IPAddress address = advertised.Value;
        Outcome<IPEndPoint> listening = listen.Length == 0
            ? new IPEndPoint(address, settings.ManagerPort)
            : AddressSelection.SelectEndPoint("--listen-addr", listen, settings.ManagerPort);
        if (listening.Refusal is { } badListen)
        {
            return badListen;
        }

        Outcome<IPAddress> vtep = dataPath.Length == 0 ? address : AddressSelection.Select("--data-path-addr", dataPath, towards);
        return vtep.Refusal is { } badDataPath
            ? badDataPath
            : new AgentAddresses(
                new(address, settings.GossipPort), vtep.Value, listening.Value, new(address, listening.Value.Port));
    }

    public NodeObject ToNode(string id, NodeRole role) => new()
    {
        Id = id,
        Hostname = Environment.MachineName,
        Role = role,
        GossipAddress = Gossip.ToString(),
        DataPathAddress = DataPath.ToString(),
        ControlAddress = role == NodeRole.Manager ? Control.ToString() : "",
        AgentVersion = AgentVersion.Text,
    };

    public NodeDescription ToDescription() => new()
    {
        Hostname = Environment.MachineName,
        GossipAddress = Gossip.ToString(),
        DataPathAddress = DataPath.ToString(),
        AgentVersion = AgentVersion.Text,
    };

    public MembershipRecord ToRecord(string clusterId, string nodeId, bool manager, IReadOnlyList<string> managers) => new()
    {
        ClusterId = clusterId,
        NodeId = nodeId,
        GossipAddress = Gossip.ToString(),
        DataPathAddress = DataPath.ToString(),
        ListenAddress = manager ? Listen.ToString() : "",
        ControlAddress = manager ? Control.ToString() : "",
        Managers = managers,
    };

    /// <summary>Refuses before anything is changed if another program has one of the ports.</summary>
    public Refusal? PortTaken(bool gossipOnly = false)
    {
        foreach ((IPEndPoint end, SocketType type) in new[]
            { (Gossip, SocketType.Dgram), (Gossip, SocketType.Stream), (Listen, SocketType.Stream) })
        {
            if (gossipOnly && ReferenceEquals(end, Listen))
            {
                continue;
            }

            try
            {
                using Socket probe = new(end.AddressFamily, type, type == SocketType.Dgram ? ProtocolType.Udp : ProtocolType.Tcp);
                if (type == SocketType.Stream)
                {
                    probe.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
                }

                probe.Bind(end);
                if (type == SocketType.Stream)
                {
                    probe.Listen(1);
                }
            }
            catch (SocketException e)
            {
                string protocol = type == SocketType.Dgram ? "UDP" : "TCP";
                return new(
                    RefusalKind.Conflict, $"Cannot listen on {protocol} {end}.", $"{e.Message}.",
                    $"Find the program that has it with `ss -lnp | grep {end.Port}`, or choose another address or port.");
            }
        }

        return null;
    }
}

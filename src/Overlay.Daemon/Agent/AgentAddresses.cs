using System.Net;
using System.Net.Sockets;
using Overlay.Cluster;
using Overlay.Daemon.Configuration;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>The addresses a node uses in a cluster, chosen from what the operator said and what the host has.</summary>
internal sealed record AgentAddresses(IPEndPoint Gossip, IPAddress DataPath, IPEndPoint Listen, IPEndPoint Control)
{
    /// <summary>What the settings said of them.</summary>
    public string Asked { get; private init; } = "";

    public static Outcome<AgentAddresses> Choose(
        AgentSettings settings, string advertise, string listen, string dataPath, IEnumerable<string>? towards = null)
    {
        advertise = advertise.Length > 0 ? advertise : settings.AdvertiseAddress;
        listen = listen.Length > 0 ? listen : settings.ListenAddress;
        dataPath = dataPath.Length > 0 ? dataPath : settings.DataPathAddress;
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
                new(address, settings.GossipPort), vtep.Value, listening.Value, new(address, listening.Value.Port))
            {
                Asked = AskedIn(settings),
            };
    }

    /// <summary>What the settings say of addresses; empty: nothing.</summary>
    public static string AskedIn(AgentSettings settings) =>
        (settings.AdvertiseAddress + settings.ListenAddress + settings.DataPathAddress).Length == 0
            ? ""
            : $"{settings.AdvertiseAddress} {settings.ListenAddress} {settings.DataPathAddress}";

    /// <summary>The addresses of a node that is started with other settings than before; of what they do not say, as it was.</summary>
    public static Outcome<MembershipRecord> Move(AgentSettings settings, MembershipRecord record)
    {
        IPEndPoint gossip = IPEndPoint.Parse(record.GossipAddress);
        IPEndPoint listen = IPEndPoint.Parse(record.ListenAddress);
        IPAddress dataPath = IPAddress.Parse(record.DataPathAddress);
        Outcome<AgentAddresses> chosen = Choose(
            settings, settings.AdvertiseAddress.Length > 0 ? "" : gossip.Address.ToString(),
            settings.ListenAddress.Length > 0 || listen.Address.Equals(gossip.Address) ? "" : listen.ToString(),
            settings.DataPathAddress.Length > 0 || dataPath.Equals(gossip.Address) ? "" : dataPath.ToString());
        return chosen.Refusal is { } unclear ? unclear : chosen.Value.InPlaceOf(record, keepsPort: settings.ListenAddress.Length == 0);
    }

    /// <summary>The same node at these addresses; gossip keeps its port.</summary>
    /// <param name="keepsPort">So does the manager API.</param>
    public MembershipRecord InPlaceOf(MembershipRecord record, bool keepsPort)
    {
        int port = keepsPort ? IPEndPoint.Parse(record.ListenAddress).Port : Listen.Port;
        AgentAddresses wanted = this with
        {
            Gossip = new(Gossip.Address, IPEndPoint.Parse(record.GossipAddress).Port),
            Listen = new(Listen.Address, port),
            Control = new(Control.Address, port),
        };
        MembershipRecord next = wanted.ToRecord(record.ClusterId, record.NodeId, record.Managers);
        bool isElsewhere = (next.GossipAddress, next.ControlAddress) != (record.GossipAddress, record.ControlAddress);
        return next with { Epoch = record.Epoch, HasMoved = record.HasMoved || isElsewhere };
    }

    public NodeObject ToNode(string id, NodeRole role) => new()
    {
        Id = id,
        Hostname = Environment.MachineName,
        Role = role,
        GossipAddress = Gossip.ToString(),
        DataPathAddress = DataPath.ToString(),
        ControlAddress = Control.ToString(),
        AgentVersion = AgentVersion.Text,
    };

    public NodeDescription ToDescription() => new()
    {
        Hostname = Environment.MachineName,
        GossipAddress = Gossip.ToString(),
        DataPathAddress = DataPath.ToString(),
        ControlAddress = Control.ToString(),
        AgentVersion = AgentVersion.Text,
    };

    public MembershipRecord ToRecord(string clusterId, string nodeId, IReadOnlyList<string> managers) => new()
    {
        ClusterId = clusterId,
        NodeId = nodeId,
        GossipAddress = Gossip.ToString(),
        DataPathAddress = DataPath.ToString(),
        ListenAddress = Listen.ToString(),
        ControlAddress = Control.ToString(),
        Managers = managers,
        Asked = Asked,
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

using System.Net;
using Google.Protobuf;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>What survives a restart: intent as last assigned, this node's endpoints, and addresses that rest.</summary>
public sealed partial class Node
{
    public LocalState Export()
    {
        LocalState state = new()
        {
            NodeId = Id.ToString(),
            Assignment = intent.Export(),
            MacCounter = addresses.MacCounter,
        };
        state.Endpoints.AddRange(endpoints.Values.Select(Save));
        state.Resting.AddRange(addresses.Resting.Select(static r => new V1.RestingAddress
        {
            NetworkId = r.Network.ToString(),
            Address = r.Address.ToString(),
            ReleasedUnixMs = r.ReleasedUnixMs,
        }));
        state.Remotes.AddRange(followed.SelectMany(
            network => remotes.On(network).Select(r => new V1.RememberedEndpoint
            {
                NetworkId = network.ToString(),
                Owner = r.Owner.ToString(),
                Id = r.Id.ToString(),
                Record = r.ToRecord(),
            })));
        state.LeftSandboxes.AddRange(leftSandboxes.Keys.Select(static s => s.Value));
        return state;
    }

    /// <summary>Takes back what <see cref="Export"/> gave; the file was written by this agent, so it is not suspected.</summary>
    private void Restore(LocalState state)
    {
        if (state.Assignment is { } assignment)
        {
            intent.Apply(assignment);
        }

        foreach (V1.LocalEndpointState saved in state.Endpoints)
        {
            EndpointState endpoint = Import(saved);
            if (intent.Network(saved.NetworkId) is not null)
            {
                endpoints[endpoint.Id] = endpoint;
            }
        }

        addresses.Quarantine = TimeSpan.FromSeconds(intent.Cluster?.QuarantineSeconds ?? 60);
        addresses.Restore(
            state.MacCounter,
            state.Resting.Select(static r => new Overlay.Cluster.RestingAddress(
                NetworkId.Parse(r.NetworkId), IPAddress.Parse(r.Address), r.ReleasedUnixMs)),
            endpoints.Values.SelectMany(static e => new[]
            {
                e.Reserved4 ? null : e.Ipv4, e.Reserved6 ? null : e.Ipv6,
            }.OfType<IPAddress>().Select(a => (e.Network, a))));
        addresses.SetLeases(intent.Leases, intent.Networks);
        foreach (NamespaceName left in state.LeftSandboxes.Select(static s => new NamespaceName(s)))
        {
            leftSandboxes[left] = 0;
        }

        foreach (V1.RememberedEndpoint remote in state.Remotes)
        {
            Remember(remote);
        }
    }

    private static V1.LocalEndpointState Save(EndpointState endpoint)
    {
        Span<byte> mac = stackalloc byte[6];
        endpoint.Mac.WriteTo(mac);
        V1.LocalEndpointState saved = new()
        {
            Id = endpoint.Id.ToString(),
            NetworkId = endpoint.Network.ToString(),
            Segment = (uint)endpoint.Segment,
            Sandbox = endpoint.Sandbox.Value,
            Interface = endpoint.Interface,
            Mac = ByteString.CopyFrom(mac),
            Ipv4 = endpoint.Ipv4?.ToString() ?? "",
            Ipv6 = endpoint.Ipv6?.ToString() ?? "",
            Name = endpoint.Name,
            GatewaySlot = (uint)endpoint.GatewaySlot,
            CreatedUnixMs = endpoint.CreatedUnixMs,
            Reserved4 = endpoint.Reserved4,
            Reserved6 = endpoint.Reserved6,
            ServiceId = endpoint.Service?.ToString() ?? "",
            Weight = (uint)endpoint.Weight,
            Health = endpoint.Health,
            HealthReason = endpoint.HealthReason,
            HealthCommand = endpoint.HealthCommand,
        };
        saved.Aliases.AddRange(endpoint.Aliases);
        return saved;
    }

    private static EndpointState Import(V1.LocalEndpointState saved) => new()
    {
        Id = EndpointId.Parse(saved.Id),
        Network = NetworkId.Parse(saved.NetworkId),
        Segment = (int)saved.Segment,
        Sandbox = new NamespaceName(saved.Sandbox),
        Interface = saved.Interface,
        Mac = MacAddress.FromBytes(saved.Mac.Span),
        Ipv4 = saved.Ipv4.Length == 0 ? null : IPAddress.Parse(saved.Ipv4),
        Ipv6 = saved.Ipv6.Length == 0 ? null : IPAddress.Parse(saved.Ipv6),
        Name = saved.Name,
        Aliases = [.. saved.Aliases],
        GatewaySlot = (int)saved.GatewaySlot,
        CreatedUnixMs = saved.CreatedUnixMs,
        Reserved4 = saved.Reserved4,
        Reserved6 = saved.Reserved6,
        Service = saved.ServiceId.Length == 0 ? null : ServiceId.Parse(saved.ServiceId),
        Weight = (int)saved.Weight,
        Health = saved.Health,
        HealthReason = saved.HealthReason,
        HealthCommand = saved.HealthCommand,
        Status = EndpointStatus.Pending,
    };
}

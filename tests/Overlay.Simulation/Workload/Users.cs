using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.Simulation.World;
using Overlay.V1;

namespace Overlay.Simulation.Workload;

/// <summary>What people and bad luck do to the cluster, one random thing at a time.</summary>
internal sealed class Users(SimWorld world)
{
    private readonly Prng prng = world.Simulator.Prng;
    private readonly Counters counters = world.Simulator.Counters;
    private long lastRequest;
    private readonly SortedSet<string> chosen = new(StringComparer.Ordinal);
    private int names;

    private SimNode[] Up => [.. world.Nodes.Where(static n => n.Up && !n.Paused)];

    /// <summary>Its user chose its address; a node may give one that rests there again on request.</summary>
    public bool IsStatic(string endpoint) => chosen.Contains(endpoint);

    public void Step()
    {
        int choice = prng.Next(100);
        SimNode[] up = Up;
        if (up.Length == 0)
        {
            return;
        }

        SimNode node = up[prng.Next(up.Length)];
        Action action = choice switch
        {
            < 8 when world.Manager.Store.State.Networks.Count() < 4 => CreateNetwork,
            < 10 => RemoveNetwork,
            < 44 => () => Attach(node),
            < 48 => () => Sicken(node),
            < 64 => () => Detach(node),
            < 67 => CreateService,
            < 68 => RemoveService,
            < 71 => () => Crash(node),
            < 72 => () => PowerOff(node),
            < 75 => () => Pause(node),
            < 80 => () => Partition(node),
            < 87 => () => node.Host.Drift(),
            < 91 => () => LoseSandbox(node),
            < 96 => () => Disconnect(node),
            < 97 => () => Leave(node),
            < 98 => () => Remove(node),
            _ => () => world.Manager.Sweep(),
        };
        action();
    }

    public void CreateNetwork()
    {
        string[][] subnets =
        [
            [], [$"10.{200 + prng.Next(9)}.{prng.Next(250)}.0/28"], [$"10.{210 + prng.Next(9)}.{prng.Next(250)}.0/26"],
            [$"fd00:{prng.Next(9999)}::/64"], [$"10.{220 + prng.Next(9)}.{prng.Next(250)}.0/27", $"fd01:{prng.Next(9999)}::/64"],
        ];
        Count("network created", world.Manager.CreateNetwork(new()
        {
            Id = new NetworkId(prng.NextUInt64() | 1).ToString(),
            Name = $"net{++names}",
            Subnets = [.. subnets[prng.Next(subnets.Length)]],
            Internal = prng.Chance(0.5),
            Attachable = true,
        }));
    }

    private void RemoveNetwork()
    {
        NetworkObject[] all = [.. world.Manager.Store.State.Networks];
        if (all.Length > 1)
        {
            string network = all[prng.Next(all.Length)].Id;
            foreach (ServiceObject service in world.Manager.Store.State.Services.Where(s => s.NetworkId == network).ToArray())
            {
                Count("service removed", world.Manager.RemoveService(service.Id));
            }

            Count("network removed", world.Manager.RemoveNetwork(network));
        }
    }

    private void CreateService()
    {
        NetworkObject[] all = [.. world.Manager.Store.State.Networks.Where(static n => !n.Ingress)];
        if (all.Length > 0 && world.Manager.Store.State.ServiceCount < 6)
        {
            bool virtualAddress = prng.Chance(0.8);
            Count(virtualAddress ? "virtual service created" : "service created", world.Manager.CreateService(new()
            {
                Id = new ServiceId(prng.NextUInt64() | 1).ToString(),
                Name = $"s{++names}",
                Network = all[prng.Next(all.Length)].Id,
                Mode = virtualAddress ? EndpointMode.Vip : EndpointMode.Dnsrr,
                Scheduler = virtualAddress ? new[] { "", "rr", "sh" }[prng.Next(3)] : "",
                Health = prng.Chance(0.7)
                    ? new()
                    {
                        Kind = HealthKind.Tcp,
                        Port = 80,
                        IntervalMs = 1000 * (1 + prng.Next(3)),
                        TimeoutMs = 500,
                        Retries = (uint)(1 + prng.Next(3)),
                        StartPeriodMs = prng.Chance(0.3) ? 5000 : 0,
                    }
                    : null,
                Ports = prng.Chance(0.3)
                    ? []
                    : [new() { Protocol = PortProtocol.Tcp, Target = 80, Mode = prng.Chance(0.4) ? PublishMode.Host : PublishMode.Ingress }],
                IngressId = new NetworkId(prng.NextUInt64() | 1).ToString(),
            }));
        }
    }

    private void RemoveService()
    {
        ServiceObject[] all = [.. world.Manager.Store.State.Services];
        if (all.Length > 0)
        {
            Count("service removed", world.Manager.RemoveService(all[prng.Next(all.Length)].Id));
        }
    }

    private void Attach(SimNode node)
    {
        NetworkObject[] known = [.. node.Mind!.Intent.Networks];
        if (known.Length == 0)
        {
            return;
        }

        NetworkObject network = known[prng.Next(known.Length)];
        IPAddress? wanted = null;
        if (prng.Chance(0.15) && network.Segments[0].Ipv4 is { } range)
        {
            byte[] bytes = IPNetwork.Parse(range.Subnet).BaseAddress.GetAddressBytes();
            bytes[3] += (byte)(1 + prng.Next(14));
            wanted = new(bytes);
            counters.Add("static address");
        }

        ServiceObject[] services = [.. node.Mind.Intent.Services.Where(s => s.NetworkId == network.Id)];
        string service = services.Length > 0 && prng.Chance(0.6) ? services[prng.Next(services.Length)].Id : "";
        if (service.Length > 0)
        {
            counters.Add("backend");
        }

        string sandbox = $"sb{prng.Next(5)}";
        string name = $"e{++names}";
        if (wanted is not null)
        {
            chosen.Add(name);
        }

        node.Deliver((n, now, e) => n.Attach(
            new()
            {
                RequestId = ++lastRequest,
                Network = network.Id,
                Sandbox = new(sandbox),
                SandboxText = sandbox,
                Name = name,
                Ipv4 = wanted,
                Service = service,
                Weight = service.Length > 0 ? prng.Next(4) : 0,
                HealthCommand = prng.Chance(0.2) ? "true" : "",
                UnixMs = world.Simulator.UnixMs,
            },
            now,
            e));
    }

    /// <summary>A program stops doing what it is for, or does it again.</summary>
    private void Sicken(SimNode node)
    {
        NamespaceName sandbox = new($"sb{prng.Next(5)}");
        if (!node.Host.Ill.Remove(sandbox))
        {
            node.Host.Ill.Add(sandbox);
            counters.Add("sandbox ill");
        }
    }

    /// <summary>What is to be known in the end: which programs are well.</summary>
    public void DrawHealth()
    {
        foreach (SimNode node in world.Nodes.Where(static n => !n.Gone))
        {
            for (int i = 0; i < 5; i++)
            {
                NamespaceName sandbox = new($"sb{i}");
                _ = prng.Chance(0.4) ? node.Host.Ill.Add(sandbox) : node.Host.Ill.Remove(sandbox);
            }
        }
    }

    private void Detach(SimNode node)
    {
        Node.EndpointState[] all = [.. node.Mind!.Endpoints];
        if (all.Length > 0)
        {
            string id = all[prng.Next(all.Length)].Id.ToString();
            counters.Add("detach");
            node.Deliver((n, now, e) => n.Detach(new(++lastRequest, id, "", null, world.Simulator.UnixMs), now, e));
        }
    }

    private void Crash(SimNode node)
    {
        counters.Add("crash");
        node.Crash();
        world.Simulator.Later(world.Simulator.Ms(100, 15_000), () =>
        {
            if (!node.Gone && !node.Up && node.HostUp)
            {
                node.Boot();
            }
        });
    }

    private void PowerOff(SimNode node)
    {
        counters.Add("host crash");
        node.PowerOff();
        world.Simulator.Later(world.Simulator.Ms(1000, 25_000), () =>
        {
            if (!node.Gone)
            {
                node.PowerOn();
            }
        });
    }

    private void Pause(SimNode node)
    {
        counters.Add("pause");
        node.Pause();
        int life = node.Life;
        world.Simulator.Later(world.Simulator.Ms(500, 15_000), () =>
        {
            if (node.Life == life)
            {
                node.Resume();
            }
        });
    }

    private void Partition(SimNode node)
    {
        counters.Add("partition");
        bool bothWays = prng.Chance(0.5);
        foreach (SimNode other in world.Nodes.Where(n => n != node && prng.Chance(0.7)))
        {
            world.Network.Cut(node.Number, other.Number);
            if (bothWays)
            {
                world.Network.Cut(other.Number, node.Number);
            }
        }

        world.Simulator.Later(world.Simulator.Ms(1000, 20_000), world.Network.Heal);
    }

    private void LoseSandbox(SimNode node)
    {
        NamespaceName sandbox = new($"sb{prng.Next(5)}");
        counters.Add("sandbox gone");
        node.Host.RemoveSandbox(sandbox);
        world.Simulator.Later(world.Simulator.Ms(1000, 40_000), () =>
        {
            if (!node.Gone && node.HostUp && !node.Host.State.Namespaces.ContainsKey(sandbox))
            {
                node.Host.AddSandbox(sandbox);
            }
        });
    }

    private void Disconnect(SimNode node)
    {
        counters.Add("manager unreachable");
        foreach (SimNode each in prng.Chance(0.3) ? world.Nodes : [node])
        {
            world.Manager.Disconnect(each.Number);
        }

        world.Simulator.Later(world.Simulator.Ms(1000, 20_000), world.Manager.ReconnectAll);
    }

    private void Leave(SimNode node)
    {
        if (node.Number == 1 || !world.Manager.Reaches(node) || Up.Length < 4)
        {
            return;
        }

        counters.Add("node left");
        node.Deliver((n, now, e) => n.Withdraw(now, e));
        int life = node.Life;
        world.Simulator.Later(TimeSpan.FromSeconds(1), () => GoAway(node, life));
        world.Simulator.Later(TimeSpan.FromSeconds(7), () => Forget(node, life));
    }

    private static void GoAway(SimNode node, int life)
    {
        if (node.Life == life && node.Up)
        {
            node.Deliver((n, now, e) => n.DetachAll(now, e));
            node.Deliver((n, now, e) => n.Leave(now, e));
        }
    }

    private void Remove(SimNode node)
    {
        if (node.Number == 1 || Up.Length < 4)
        {
            return;
        }

        counters.Add("node removed");
        node.Crash();
        int life = node.Life;
        world.Simulator.Later(TimeSpan.FromSeconds(2), () => Forget(node, life));
    }

    /// <summary>The operator takes it out of the cluster, whatever it does.</summary>
    public void Forget(SimNode node, int life)
    {
        if (node.Life != life)
        {
            // It was started again meanwhile: the operator takes it down for good all the same.
            node.Crash();
        }

        node.Retire();
        world.Safety.Crashed(node);
        world.Manager.Remove(node);
    }

    private void Count(string what, bool happened)
    {
        if (happened)
        {
            counters.Add(what);
        }
    }
}

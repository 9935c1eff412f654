using System.Diagnostics;
using System.Net;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Primitives;

namespace Overlay.Bench;

/// <summary>
/// A sandbox's table of services, from the node's inputs to the kernel: derived, planned, executed. It runs in a scratch
/// namespace without an agent.
/// </summary>
internal static class ServicesFigure
{
    /// <param name="oneChanges">A backend of one service goes, in a table that is there; else the table is new.</param>
    public static Samples Measure(int services, int backends, int rounds, bool oneChanges)
    {
        using KernelHost kernel = new();
        Samples samples = new();
        DataplaneInputs all = Inputs(services, backends);
        DataplaneInputs fewer = all with { Services = all.Services.SetItem(0, all.Services[0] with { Backends = all.Services[0].Backends[1..] }) };
        for (int round = -1; round < rounds; round++)
        {
            try
            {
                Check(kernel.Execute([new Operation.CreateNamespace(Scratch)]));
                if (oneChanges)
                {
                    Check(kernel.Execute(PlanFor(all, "").Operations));
                }

                string before = oneChanges ? TableOf(all) : "";
                long begin = Stopwatch.GetTimestamp();
                IReadOnlyList<OperationResult> results = kernel.Execute(PlanFor(oneChanges ? fewer : all, before).Operations);
                TimeSpan elapsed = Stopwatch.GetElapsedTime(begin);
                Check(results);
                if (round >= 0)
                {
                    samples.Add(elapsed);
                }
            }
            finally
            {
                kernel.Execute([new Operation.DeleteNamespace(Scratch)]);
            }
        }

        return samples;
    }

    private static NamespaceName Scratch { get; } = new($"ov-bench-{Environment.ProcessId}");

    private static NetworkId Network { get; } = new(1UL << 60);

    private static Plan PlanFor(DataplaneInputs inputs, string before) => Planner.Plan(StateOf(TableOf(inputs)), StateOf(before));

    private static string TableOf(DataplaneInputs inputs) => Desired.For(inputs).Namespaces[Scratch].NftTable!;

    private static HostState StateOf(string table) => HostState.Empty with
    {
        Namespaces = HostState.Empty.Namespaces.Add(Scratch, NamespaceState.Empty with { NftTable = table.Length == 0 ? null : table }),
    };

    private static DataplaneInputs Inputs(int services, int backends) => new()
    {
        Vtep = IPAddress.Parse("192.0.2.1"),
        UnderlayMtu = 1500,
        VxlanPort = 4789,
        GatewayPrefix = IPNetwork.Parse("172.30.0.0/16"),
        Networks =
        [
            new()
            {
                Id = Network,
                Name = "blue",
                Segments = [new(new Vni(5000), IPNetwork.Parse("10.0.0.0/8"), IPAddress.Parse("10.0.0.1"), null, null)],
            },
        ],
        Endpoints =
        [
            new()
            {
                Id = new(1),
                Network = Network,
                Segment = 0,
                Sandbox = Scratch,
                Interface = "eth0",
                Mac = new(0x0242_0000_0001),
                Ipv4 = IPAddress.Parse("10.0.0.2"),
            },
        ],
        Services =
        [
            .. Enumerable.Range(0, services).Select(s => new VirtualService
            {
                Network = Network,
                Name = $"s{s}",
                Ipv4 = new IPAddress([10, 1, (byte)(s >> 8), (byte)s]),
                Backends = [.. Enumerable.Range(0, backends).Select(b => new ServiceBackend(new([10, (byte)(2 + b), (byte)(s >> 8), (byte)s]), null, 1))],
            }),
        ],
    };

    private static void Check(IReadOnlyList<OperationResult> results)
    {
        if (results.FirstOrDefault(static r => !r.Succeeded) is { } failed)
        {
            throw new InvalidOperationException($"{failed.Operation}: {failed.Error}");
        }
    }
}

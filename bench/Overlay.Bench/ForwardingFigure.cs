using System.Diagnostics;
using System.Net;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Primitives;

namespace Overlay.Bench;

/// <summary>
/// Remote endpoints into the kernel: an FDB and a neighbour entry each, handed to the executor as one plan. It runs
/// in a scratch namespace with a VXLAN device, without an agent: what is measured is the plan's execution.
/// </summary>
internal static class ForwardingFigure
{
    public static Samples Measure(int count, int rounds)
    {
        using KernelHost kernel = new();
        Samples samples = new();
        for (int round = -1; round < rounds; round++)
        {
            NamespaceName scratch = new($"ov-bench-{Environment.ProcessId}");
            try
            {
                Check(kernel.Execute([new Operation.CreateNamespace(scratch), new Operation.CreateLink(scratch, Device())]));
                List<Operation> plan = [];
                for (uint i = 0; i < count; i++)
                {
                    MacAddress mac = new(0x0242_0a80_0000UL + i);
                    IPAddress address = new([10, 128, (byte)(i >> 8), (byte)i]);
                    plan.Add(new Operation.ReplaceNeighbour(scratch, new("vxlan0", address, mac)));
                    plan.Add(new Operation.ReplaceFdb(scratch, new("vxlan0", mac, new IPAddress([192, 0, 2, (byte)(i % 250)]))));
                }

                long begin = Stopwatch.GetTimestamp();
                IReadOnlyList<OperationResult> results = kernel.Execute(plan);
                TimeSpan elapsed = Stopwatch.GetElapsedTime(begin);
                Check(results);
                if (round >= 0)
                {
                    samples.Add(elapsed);
                }
            }
            finally
            {
                kernel.Execute([new Operation.DeleteNamespace(scratch)]);
            }
        }

        return samples;
    }

    private static LinkState Device() => new()
    {
        Name = "vxlan0",
        Kind = LinkKind.Vxlan,
        Up = true,
        Mtu = 1450,
        Vxlan = new(new Vni(16_000_001), IPAddress.Loopback, 47_890, Learning: false, Proxy: true, L2Miss: true, L3Miss: true),
    };

    private static void Check(IReadOnlyList<OperationResult> results)
    {
        if (results.FirstOrDefault(r => !r.Succeeded) is { } failed)
        {
            throw new InvalidOperationException($"{failed.Operation}: {failed.Error}");
        }
    }
}

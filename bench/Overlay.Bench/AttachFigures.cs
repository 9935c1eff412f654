using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Overlay.Bench;

/// <summary>
/// Attaching, and from the wish for a network to the first packet across. Every round makes a network of its own,
/// so that its namespace, bridge and VXLAN device are part of what is measured, as they are at the peer.
/// </summary>
internal static class AttachFigures
{
    private static readonly TimeSpan ReplyLimit = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Before each measurement: the kernel takes the namespace of the round before apart after its removal was
    /// answered, under the lock (RTNL) that every change of an interface needs.
    /// </summary>
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(200);

    /// <param name="lab">Folder of a running lab.</param>
    /// <param name="rounds">Counted rounds; two more warm up.</param>
    /// <param name="overlayd">The executable to attach with; null: by RPC.</param>
    public static async Task<Samples> AttachAsync(string lab, int rounds, string? overlayd)
    {
        using LabHost host = new(lab, 1);
        const string Sandbox = "bench-a";
        await host.Client.CreateSandboxAsync(new() { Name = Sandbox });
        Samples samples = new();
        for (int round = -2; round < rounds; round++)
        {
            string network = $"bench-attach-{round + 2}";
            await host.Client.CreateNetworkAsync(new() { Name = network, Attachable = true });
            await Task.Delay(Rest);
            long begin = Stopwatch.GetTimestamp();
            TimeSpan elapsed;
            if (overlayd is null)
            {
                await host.Client.AttachAsync(new() { Network = network, Sandbox = Sandbox });
                elapsed = Stopwatch.GetElapsedTime(begin);
            }
            else
            {
                elapsed = TimedCommand.Run([overlayd, "--socket", host.SocketPath, "attach", network, Sandbox]);
            }

            if (round >= 0)
            {
                samples.Add(elapsed);
            }

            await host.Client.DetachAsync(new() { Network = network, Sandbox = Sandbox });
            await host.Client.RemoveNetworkAsync(new() { Network = network });
        }

        await host.Client.RemoveSandboxAsync(new() { Name = Sandbox, Force = true });
        return samples;
    }

    /// <summary>From just before the network is made on the manager to the first echo reply between two hosts.</summary>
    public static async Task<Samples> CreateToPingAsync(string lab, int rounds, string? overlayd)
    {
        using LabHost first = new(lab, 1);
        using LabHost second = new(lab, 2);
        const string From = "bench-from";
        const string To = "bench-to";
        await first.Client.CreateSandboxAsync(new() { Name = From });
        await second.Client.CreateSandboxAsync(new() { Name = To });
        using Socket socket = FirstReply.Open(first.NamespacePath(From));
        Samples samples = new();
        for (int round = -2; round < rounds; round++)
        {
            string network = $"bench-ping-{round + 2}";
            await Task.Delay(Rest);
            long begin = Stopwatch.GetTimestamp();
            if (overlayd is null)
            {
                await first.Client.CreateNetworkAsync(new() { Name = network, Attachable = true });
                await Task.WhenAll(
                    first.Client.AttachAsync(new() { Network = network, Sandbox = From }).ResponseAsync,
                    second.Client.AttachAsync(new() { Network = network, Sandbox = To }).ResponseAsync);
            }
            else
            {
                // One after the other, as a person types them.
                string[] one = [overlayd, "--socket", first.SocketPath];
                string[] two = [overlayd, "--socket", second.SocketPath];
                TimedCommand.Run([.. one, "network", "create", "--attachable", network]);
                TimedCommand.Run([.. one, "attach", network, From]);
                TimedCommand.Run([.. two, "attach", network, To]);
            }

            FirstReply.Wait(socket, await AddressAsync(second, network), ReplyLimit);
            TimeSpan elapsed = Stopwatch.GetElapsedTime(begin);
            if (round >= 0)
            {
                samples.Add(elapsed);
            }

            await first.Client.DetachAsync(new() { Network = network, Sandbox = From });
            await second.Client.DetachAsync(new() { Network = network, Sandbox = To });
            await first.Client.RemoveNetworkAsync(new() { Network = network });
        }

        await first.Client.RemoveSandboxAsync(new() { Name = From, Force = true });
        await second.Client.RemoveSandboxAsync(new() { Name = To, Force = true });
        return samples;
    }

    private static async Task<IPAddress> AddressAsync(LabHost host, string network)
    {
        V1.ListEndpointsResponse endpoints = await host.Client.ListEndpointsAsync(new() { Network = network, Local = true });
        return IPAddress.Parse(endpoints.Endpoints.Single().Ipv4.Split('/')[0]);
    }
}

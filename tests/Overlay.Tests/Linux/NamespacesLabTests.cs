using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Linux.Namespaces;

namespace Overlay.Tests.Linux;

[Trait("Layer", "lab")]
public sealed class NamespacesLabTests : IDisposable
{
    private readonly LabNamespaces lab = new();

    public void Dispose() => lab.Dispose();

    [Fact]
    public void An_action_runs_inside_and_leaves_the_caller_outside()
    {
        using NamespaceHandle before = NamespaceHandle.OpenCurrent();
        using NamespaceHandle box = lab.Kernel.Namespaces.Open(new(lab.Make("box")));
        using NamespaceHandle inside = InNamespace.Run(box, NamespaceHandle.OpenCurrent);
        using NamespaceHandle after = NamespaceHandle.OpenCurrent();
        Assert.Equal(box.Identity, inside.Identity);
        Assert.Equal(before.Identity, after.Identity);
        Assert.NotEqual(before.Identity, inside.Identity);
        Assert.Throws<InvalidOperationException>(
            () => InNamespace.Run(box, () => throw new InvalidOperationException()));
    }

    [Fact]
    public void A_socket_opened_inside_is_that_namespaces()
    {
        string name = lab.Make("box");
        using NamespaceHandle box = lab.Kernel.Namespaces.Open(new(name));
        using Socket socket = InNamespace.Run(box, () =>
        {
            Socket made = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            made.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.11"), 53));
            return made;
        });
        string listening = LabNamespaces.Run($"ip netns exec {name} ss -Hnul");
        Assert.Contains("127.0.0.11:53", listening, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_and_a_path_name_the_same_namespace()
    {
        string name = lab.Make("box");
        using Process sleeper = Process.Start("ip", ["netns", "exec", name, "sleep", "60"]);
        try
        {
            using NamespaceHandle byName = lab.Kernel.Namespaces.Open(new(name));
            Assert.True(SpinWait.SpinUntil(() => IsInside(sleeper.Id, byName), TimeSpan.FromSeconds(5)));
        }
        finally
        {
            sleeper.Kill();
            sleeper.WaitForExit();
        }
    }

    [Theory]
    [InlineData("/etc/passwd", 22)]
    [InlineData("/proc/self/ns/mnt", 22)]
    [InlineData("/proc/self", 22)]
    [InlineData("/proc/999999999/ns/net", 2)]
    [InlineData("/no/such/file", 2)]
    public void What_is_no_network_namespace_is_refused(string path, int errno)
    {
        KernelException e = Assert.Throws<KernelException>(() => lab.Kernel.Namespaces.Open(new(path)));
        Assert.Equal(errno, e.Errno);
        Assert.Contains(path, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_left_over_file_is_made_a_namespace()
    {
        NamespaceName name = lab.Overlay("stale");
        File.WriteAllText($"/run/netns/{name}", "");
        lab.Apply(new Operation.CreateNamespace(name));
        Assert.True(lab.Observe(name).Links["lo"].Up);
        Assert.Contains(name, lab.Kernel.Namespaces.List());
    }

    [Fact]
    public void A_namespace_deleted_and_remade_by_others_is_noticed()
    {
        NamespaceName name = lab.Overlay("a");
        LinkState vxlan = new()
        {
            Name = "vxlan0",
            Kind = LinkKind.Vxlan,
            Vxlan = new(new(5100), IPAddress.Parse("192.0.2.1"), 4789, false, true, true, true),
        };
        lab.Apply(new Operation.CreateNamespace(name), new Operation.CreateLink(name, vxlan));
        LabNamespaces.Run($"ip netns delete {name}");
        Assert.Empty(lab.Kernel.Observe([name], []).Namespaces);
        LabNamespaces.Run($"ip netns add {name}");
        Assert.Equal(["lo"], lab.Observe(name).Links.Keys);

        // Deleted by hand once more: what held the VNI goes at once, not when the kernel gets to it.
        lab.Apply(new Operation.CreateLink(name, vxlan));
        LabNamespaces.Run($"ip netns delete {name}");
        lab.Apply(new Operation.CreateNamespace(name), new Operation.CreateLink(name, vxlan));
        Assert.Contains("vxlan0", lab.Observe(name).Links.Keys);
    }

    [Fact]
    public void The_folder_of_names_is_made_where_it_is_missing()
    {
        string root = $"/run/ovt-{Environment.ProcessId}-netns";
        NamespaceName name = new("ov-fresh");
        try
        {
            using KernelHost kernel = new(new NamespaceDirectory(root));
            Assert.True(kernel.Execute([new Operation.CreateNamespace(name)])[0].Succeeded);
            Assert.Equal([name], kernel.Namespaces.List());
            Assert.Contains("lo", kernel.Observe([name], []).Namespaces[name].Links.Keys);
            string mounts = LabNamespaces.Run($"grep {root} /proc/self/mountinfo");
            Assert.Contains("shared:", mounts, StringComparison.Ordinal);
            Assert.True(kernel.Execute([new Operation.DeleteNamespace(name)])[0].Succeeded);
            Assert.Empty(kernel.Namespaces.List());
        }
        finally
        {
            LabNamespaces.TryRun($"umount -l {root}/{name}");
            LabNamespaces.TryRun($"umount -l {root}");
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void The_hosts_network_is_read()
    {
        string host = lab.HostName;
        LabNamespaces.Run($"ip -n {host} link add wire0 mtu 1400 type veth peer name wire1");
        LabNamespaces.Run($"ip -n {host} addr add 192.0.2.1/24 dev wire0");
        LabNamespaces.Run($"ip -n {host} addr add 2001:db8::1/64 dev wire0 nodad");
        LabNamespaces.Run($"ip -n {host} link set wire0 up");
        LabNamespaces.Run($"ip -n {host} route add 10.9.0.0/16 via 192.0.2.254");
        LabNamespaces.Run($"ip -n {host} route add default via 192.0.2.254");

        HostNetwork network = HostNetwork.Read(lab.Kernel.Namespaces);
        HostInterface wire = network.InterfaceOf(IPAddress.Parse("192.0.2.1"))!;
        Assert.Equal(("wire0", 1400, true, LinkKind.Veth), (wire.Name, wire.Mtu, wire.Up, wire.Kind));
        Assert.Equal(1400, network.MtuOf(IPAddress.Parse("2001:db8::1")));
        Assert.True(network.HasAddress(IPAddress.Parse("192.0.2.1")));
        Assert.False(network.HasAddress(IPAddress.Parse("192.0.2.2")));
        Assert.True(network.HasDefaultRoute(AddressFamily.InterNetwork));
        Assert.False(network.HasDefaultRoute(AddressFamily.InterNetworkV6));
        HostRoute overlap = Assert.Single(network.Overlapping(IPNetwork.Parse("10.9.8.0/24")));
        Assert.Equal((IPNetwork.Parse("10.9.0.0/16"), "wire0"), (overlap.Destination, overlap.Device));
        Assert.Single(network.Overlapping(IPNetwork.Parse("10.0.0.0/8")));
        Assert.Empty(network.Overlapping(IPNetwork.Parse("10.10.0.0/16")));
        Assert.Contains(wire.Addresses, a => a.IsGlobal && a.PrefixLength == 24);
    }

    private static bool IsInside(int process, NamespaceHandle expected)
    {
        using NamespaceHandle now = NamespaceHandle.OpenProcess(process);
        return now.Identity == expected.Identity;
    }
}

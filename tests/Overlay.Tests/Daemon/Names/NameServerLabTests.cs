using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Daemon.Names;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Linux.Namespaces;

namespace Overlay.Tests.Daemon.Names;

/// <summary>The C library of a program inside a real namespace asks 127.0.0.11:53. Needs root.</summary>
[Trait("Layer", "lab")]
public sealed class NameServerLabTests : IDisposable
{
    private readonly string name = $"ovt-dns-{Environment.ProcessId}";
    private readonly NamespaceSocketFactory factory = new(new NamespaceDirectory());
    private readonly ResolvConf resolvConf = new();

    public NameServerLabTests()
    {
        Assert.Equal(0, Run("ip", "netns", "add", name).Code);
        Assert.Equal(0, Run("ip", "-n", name, "link", "set", "lo", "up").Code);
    }

    [Fact]
    public async Task Programs_inside_resolve_names_and_addresses()
    {
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(30));
        await using FakeUpstream upstream = new(static query => FakeUpstream.Respond(query, 3));
        using Instruments instruments = new();
        using Forwarder forwarder = new(
            () => [upstream.Address], new(), instruments, TimeProvider.System, NullLogger<Forwarder>.Instance);
        using NameServer server = new(
            factory, forwarder, new(), instruments, TimeProvider.System, NullLogger<NameServer>.Instance);
        await forwarder.StartAsync(patience.Token);
        await server.StartAsync(patience.Token);
        server.Publish(ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>>.Empty.Add(
            new(name), [NameServerRig.Blue("10.0.1.2")]));
        await server.WhenSettledAsync(patience.Token);
        Assert.Null(Assert.Single(server.Sandboxes).Problem);
        resolvConf.Write(name, ResolverConfiguration.Empty);
        Assert.Equal((0, "10.0.1.2 web"), Resolve("hosts", "web"));
        Assert.Equal((0, "10.0.1.2 web.blue"), Resolve("hosts", "web.blue"));
        Assert.Equal((0, "10.0.1.2 web.blue"), Resolve("hosts", "10.0.1.2"));
        Assert.Equal(0, upstream.Queries);
        Assert.Equal(2, Resolve("hosts", "nobody").Code);
        Assert.NotEqual(0, upstream.Queries);
        await server.StopAsync(patience.Token);
        await forwarder.StopAsync(patience.Token);
    }

    [Fact]
    public void A_taken_port_is_named()
    {
        using SandboxSockets first = factory.Open(new(name));
        Assert.Equal(first.Identity, factory.IdentityOf(new(name)));
        NameServerException taken = Assert.Throws<NameServerException>(() => factory.Open(new(name)));
        Assert.Contains("cannot bind 127.0.0.11:53: another program", taken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_loopback_interface_that_was_never_up()
    {
        Run("ip", "netns", "del", name);
        Run("ip", "netns", "add", name);
        NameServerException neverUp = Assert.Throws<NameServerException>(() => factory.Open(new(name)));
        Assert.Contains("ip link set lo up", neverUp.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_namespace_that_does_not_exist()
    {
        Assert.Null(factory.IdentityOf(new("ovt-none")));
        NameServerException gone = Assert.Throws<NameServerException>(() => factory.Open(new("ovt-none")));
        Assert.Contains("does not exist", gone.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_of_a_sandbox_stays_on_the_hosts_address()
    {
        using SandboxSockets sockets = factory.Open(new(name));
        using Socket host = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.Throws<SocketException>(() => host.Connect(NamespaceSocketFactory.Address));
        Assert.Equal(NamespaceSocketFactory.Address, (IPEndPoint)sockets.Udp.LocalEndPoint!);
    }

    public void Dispose()
    {
        resolvConf.Remove(name);
        Run("ip", "netns", "del", name);
    }

    private static (int Code, string Output) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output);
    }

    /// <summary>The first line of getent, with single spaces, without the kind of socket.</summary>
    private (int Code, string Output) Resolve(string database, string key)
    {
        (int code, string output) = Run("ip", "netns", "exec", name, "getent", database, key);
        string[] words = output.Split('\n')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return (code, string.Join(' ', words.Where(static w => w != "STREAM")));
    }
}

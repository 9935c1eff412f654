using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Daemon.Checks;
using Overlay.Daemon.Telemetry;
using Overlay.Linux.Namespaces;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.Tests.Linux;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Checks;

/// <summary>Backends are asked inside their sandboxes.</summary>
[Trait("Layer", "lab")]
public sealed class BackendProberLabTests : IDisposable
{
    private readonly LabNamespaces lab = new();
    private readonly Instruments instruments = new();
    private readonly string box;
    private readonly BackendProber prober;

    public BackendProberLabTests()
    {
        box = lab.Make("box");
        prober = new(lab.Kernel.Namespaces, TimeProvider.System, instruments, NullLogger<BackendProber>.Instance);
    }

    public void Dispose()
    {
        prober.Dispose();
        instruments.Dispose();
        lab.Dispose();
    }

    [Fact]
    public async Task A_port_is_that_of_the_sandbox_and_not_the_host_s()
    {
        using NamespaceHandle inside = lab.Kernel.Namespaces.Open(new(box));
        Assert.Equal("tcp:7000: connection refused", await AskAsync(HealthKind.Tcp));
        using (InNamespace.Run(inside, static () =>
        {
            TcpListener listener = new(IPAddress.Loopback, 7000);
            listener.Start();
            return listener;
        }))
        {
            Assert.Null(await AskAsync(HealthKind.Tcp));
            Assert.Equal("http:7000/: no answer within 300ms", await AskAsync(HealthKind.Http));
        }

        Assert.Equal("tcp:7000: connection refused", await AskAsync(HealthKind.Tcp));
    }

    [Fact]
    public async Task A_command_sees_the_sandbox_its_endpoint_and_nothing_else_of_the_agent()
    {
        Assert.Null(await AskAsync(
            command: $"[ \"$(readlink /proc/self/ns/net)\" = \"$(ip netns exec {box} readlink /proc/self/ns/net)\" ] && [ $OVERLAYD_ENDPOINT = web ] "
                + "&& [ $OVERLAYD_ADDRESS = 127.0.0.1 ] && [ $(pwd) = / ]"));
        Assert.Equal("command: exit 3: second", await AskAsync(command: "echo first; echo second; exit 3"));
        Assert.Equal("command: exit 1", await AskAsync(command: "false"));
        Assert.Equal("command: ended by signal 15", await AskAsync(command: "kill $$"));
        Assert.Equal("command: exit 1: a?[31m", await AskAsync(command: "printf 'a\\033[31m'; false"));
    }

    [Fact]
    public async Task Both_are_to_be_well() => Assert.Equal(
        "tcp:7000: connection refused; command: exit 1", await AskAsync(HealthKind.Tcp, command: "false"));

    [Fact]
    public async Task A_command_that_hangs_is_ended_with_its_children_when_its_time_is_over()
    {
        using TemporaryFolder folder = new();
        string file = Path.Combine(folder.Path, "pids");
        Assert.Equal("command: no answer within 300ms", await AskAsync(command: $"sleep 600 & echo $$ $! >{file}; wait"));
        string[] processes = (await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken)).Trim().Split(' ');
        Assert.Equal(2, processes.Length);
        Assert.True(SpinWait.SpinUntil(
            () => processes.All(static p => !File.Exists($"/proc/{p}/cmdline") || File.ReadAllText($"/proc/{p}/cmdline").Length == 0),
            TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task A_sandbox_that_is_gone_is_an_answer()
    {
        Assert.Contains("does not exist", await AskAsync(HealthKind.Tcp, sandbox: "no-such-sandbox"), StringComparison.Ordinal);
        Assert.Contains("does not exist", await AskAsync(command: "true", sandbox: "no-such-sandbox"), StringComparison.Ordinal);
        Assert.Null(await AskAsync(command: "true"));
    }

    [Fact]
    public async Task Who_does_not_want_to_know_any_more_is_told_so_at_once()
    {
        using CancellationTokenSource stop = new();
        Task<string?> asked = prober.AskAsync(Probe(HealthKind.Unspecified, "sleep 600", box) with { Timeout = TimeSpan.FromMinutes(1) }, stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    [Fact]
    public async Task Many_are_asked_at_once()
    {
        string?[] answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => AskAsync(HealthKind.Tcp, command: i % 2 == 0 ? "false" : "")));
        Assert.All(answers, static a => Assert.StartsWith("tcp:7000: connection refused", a, StringComparison.Ordinal));
    }

    private Task<string?> AskAsync(HealthKind kind = HealthKind.Unspecified, string command = "", string? sandbox = null) =>
        prober.AskAsync(Probe(kind, command, sandbox ?? box), TestContext.Current.CancellationToken);

    private static HealthProbe Probe(HealthKind kind, string command, string sandbox) => new(
        1, new EndpointId(1), "web", new(sandbox), IPAddress.Loopback, kind, kind == HealthKind.Unspecified ? 0 : 7000,
        kind == HealthKind.Http ? "/" : "", command, TimeSpan.FromMilliseconds(kind == HealthKind.Tcp && command.Length > 0 ? 20_000
            : command.Contains("600", StringComparison.Ordinal) || kind == HealthKind.Http ? 300 : 20_000));
}

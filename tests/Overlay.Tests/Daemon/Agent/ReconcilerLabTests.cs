using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Linux.Namespaces;
using Overlay.Tests.Linux;

namespace Overlay.Tests.Daemon.Agent;

[Trait("Layer", "lab")]
public sealed class ReconcilerLabTests : IDisposable
{
    private static readonly TimeSpan Never = TimeSpan.FromHours(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly LabNamespaces namespaces = new();
    private readonly DirectoryInfo names = Directory.CreateTempSubdirectory("overlayd-netns-");
    private readonly KernelHost kernel;

    /// <summary>
    /// With a folder of names of its own: a reconciler removes every network's namespace that it does not want, and
    /// in the machine's folder those of other tests and agents would be among them.
    /// </summary>
    public ReconcilerLabTests() => kernel = new(new NamespaceDirectory(
        names.FullName, $"{NamespaceDirectory.DefaultRoot}/{namespaces.HostName}"));

    public void Dispose()
    {
        kernel.Dispose();
        names.Delete(recursive: true);
        namespaces.Dispose();
    }

    [Fact]
    public async Task An_errand_that_comes_while_a_burst_of_changes_ends_is_done_and_not_left_for_the_next_full_round()
    {
        using Instruments instruments = new();
        using Reconciler reconciler = new(
            kernel, Never, new(TimeProvider.System), instruments, NullLogger<Reconciler>.Instance);
        TaskCompletionSource settled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        reconciler.Settled = _ => settled.TrySetResult();
        reconciler.Start();
        reconciler.Want(1, new()
        {
            Vtep = IPAddress.Parse("192.0.2.1"),
            UnderlayMtu = 1500,
            VxlanPort = 4789,
            GatewayPrefix = IPNetwork.Parse("172.30.0.0/16"),
        });
        await settled.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);

        for (int i = 0; i < 20; i++)
        {
            reconciler.Touch(NamespaceName.Host);
            await Task.Delay(5, TestContext.Current.CancellationToken);
            int answer = await reconciler.RunAsync(_ => i, TestContext.Current.CancellationToken).WaitAsync(
                Patience, TestContext.Current.CancellationToken);
            Assert.Equal(i, answer);
        }
    }
}

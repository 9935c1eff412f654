using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Telemetry;
using Overlay.Linux;
using Overlay.Linux.Namespaces;
using Overlay.Linux.Processes;
using Overlay.Node;
using Overlay.V1;

namespace Overlay.Daemon.Checks;

/// <summary>
/// Asks backends what the node wants to know of them, so many at a time, each inside its sandbox. Every question is answered: who does
/// not answer in time is not well.
/// </summary>
internal sealed partial class BackendProber(
    NamespaceDirectory namespaces, TimeProvider time, Instruments instruments, ILogger<BackendProber> logger) : IDisposable
{
    private const int MostConnections = 1024;

    /// <summary>Each is a shell, and what it starts.</summary>
    private const int MostCommands = 64;

    private const string Failed = "failed";
    private const string TimedOut = "timeout";

    private readonly NamespaceThread inside = new();
    private readonly SemaphoreSlim connections = new(MostConnections);
    private readonly SemaphoreSlim commands = new(MostCommands);

    /// <returns>What is wrong; null: nothing.</returns>
    /// <exception cref="OperationCanceledException">The caller does not want to know any more.</exception>
    public async Task<string?> AskAsync(HealthProbe probe, CancellationToken cancellationToken)
    {
        Task<string?> port = probe.Kind == HealthKind.Unspecified
            ? Task.FromResult<string?>(null)
            : AskAsync(KindText(probe.Kind), $"{KindText(probe.Kind)}:{probe.Port}{probe.Path}", connections, probe, AskPortAsync, cancellationToken);
        Task<string?> command = probe.Command.Length == 0
            ? Task.FromResult<string?>(null)
            : AskAsync("command", "command", commands, probe, RunCommandAsync, cancellationToken);
        string[] faults = [.. (await Task.WhenAll(port, command)).OfType<string>()];
        return faults.Length == 0 ? null : string.Join("; ", faults);
    }

    public void Dispose()
    {
        inside.Dispose();
        connections.Dispose();
        commands.Dispose();
    }

    private async Task<string?> AskAsync(
        string kind, string what, SemaphoreSlim room, HealthProbe probe, Func<HealthProbe, CancellationToken, Task> ask,
        CancellationToken cancellationToken)
    {
        await room.WaitAsync(cancellationToken);
        string result = "ok";
        try
        {
            using CancellationTokenSource limit = new(probe.Timeout, time);
            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
            await ask(probe, either.Token);
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            result = TimedOut;
            return $"{what}: no answer within {DurationText.Format(probe.Timeout)}";
        }
        catch (ProbeFault fault)
        {
            result = Failed;
            return $"{what}: {fault.Message}";
        }
        catch (KernelException e)
        {
            result = Failed;
            return $"{what}: {e.Message}";
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A question without an answer would never be asked again.
            LogNotAsked(probe.Name, what, e);
            result = Failed;
            return $"{what}: {e.Message}";
        }
        finally
        {
            room.Release();
            instruments.HealthChecks.Add(1, new("kind", kind), new KeyValuePair<string, object?>("result", result));
        }
    }

    private async Task AskPortAsync(HealthProbe probe, CancellationToken cancellationToken)
    {
        using Socket socket = await inside.RunAsync(
            () => namespaces.Open(probe.Sandbox),
            () => new Socket(probe.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        await PortProbe.AskAsync(socket, probe, time, cancellationToken);
    }

    private async Task RunCommandAsync(HealthProbe probe, CancellationToken cancellationToken)
    {
        using ShellCommand command = await inside.RunAsync(
            () => namespaces.Open(probe.Sandbox),
            () => ShellCommand.Start(
                probe.Command, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LANG=C.UTF-8",
                $"OVERLAYD_ENDPOINT={probe.Name}", $"OVERLAYD_ADDRESS={probe.Address}"));
        await CommandProbe.WaitAsync(command, time, cancellationToken);
    }

    private static string KindText(HealthKind kind) => kind == HealthKind.Http ? "http" : "tcp";

    [LoggerMessage(EventId = 820, Level = LogLevel.Error, Message = "Backend {Name} could not be asked by {What}")]
    private partial void LogNotAsked(string name, string what, Exception exception);
}

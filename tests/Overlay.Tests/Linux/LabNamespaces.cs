using System.Diagnostics;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Linux.Namespaces;

namespace Overlay.Tests.Linux;

/// <summary>
/// Namespaces of one lab test: its own "host" and others, with unique names, all removed at the end. The host is a
/// scratch one, so that no test touches the machine's own network.
/// </summary>
public sealed class LabNamespaces : IDisposable
{
    private static int next;

    private readonly string prefix = $"ovt-{Environment.ProcessId}-{Interlocked.Increment(ref next)}";
    private readonly List<string> made = [];

    public LabNamespaces()
    {
        HostName = Make("host");
        Kernel = HostOn(HostName);
    }

    public string HostName { get; }

    public KernelHost Kernel { get; }

    /// <summary>Another machine: its own host namespace, the same folder of names.</summary>
    public static KernelHost HostOn(string hostName) =>
        new(new NamespaceDirectory(hostPath: $"{NamespaceDirectory.DefaultRoot}/{hostName}"));

    /// <summary>A name that is removed at the end, as of the agent's own; the namespace is not made yet.</summary>
    public NamespaceName Overlay(string name)
    {
        string full = $"ov-{prefix}-{name}";
        made.Add(full);
        return new(full);
    }

    /// <summary>Removes the namespace of this name at the end.</summary>
    public void Overlay(NamespaceName name) => made.Add(name.Value);

    /// <summary>Names of namespaces that are the agent's own, there or not.</summary>
    public IEnumerable<NamespaceName> Overlays =>
        made.Select(name => new NamespaceName(name)).Where(name => name.IsOverlay);

    /// <summary>A namespace made by iproute2, as others would.</summary>
    public string Make(string name)
    {
        string full = $"{prefix}-{name}";
        Run($"ip netns add {full}");
        made.Add(full);
        Run($"ip -n {full} link set lo up");
        return full;
    }

    public void Dispose()
    {
        Kernel.Dispose();
        foreach (string name in made)
        {
            if (File.Exists($"{NamespaceDirectory.DefaultRoot}/{name}"))
            {
                Run($"ip netns delete {name}");
            }
        }
    }

    /// <summary>Runs a command; its output, or an exception with what it said.</summary>
    public static string Run(string command)
    {
        (int code, string output) = TryRun(command);
        return code == 0 ? output : throw new InvalidOperationException($"{command}: exit {code}: {output}");
    }

    public static (int Code, string Output) TryRun(string command)
    {
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ProcessStartInfo start = new(words[0], words[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.GetAwaiter().GetResult());
    }

    /// <summary>Executes a plan and fails with the first error.</summary>
    public void Apply(params Operation[] plan)
    {
        foreach (OperationResult result in Kernel.Execute(plan))
        {
            Assert.True(result.Succeeded, $"{result.Operation}: {result.Error}");
        }
    }

    public NamespaceState Observe(NamespaceName name, params string[] sysctls) =>
        Kernel.Observe([name], sysctls).Namespaces[name];
}

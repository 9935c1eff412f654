using System.Diagnostics;
using Overlay.Daemon.Errors;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>`sandbox exec` in a real namespace: it replaces its process, so the executable itself is run.</summary>
[Trait("Layer", "lab")]
public sealed class SandboxExecLabTests : IAsyncLifetime
{
    private readonly string name = "cliexec" + Environment.ProcessId;

    private string Overrides => $"/etc/netns/{name}";

    public async ValueTask InitializeAsync()
    {
        (int code, _, string error) = await RunAsync("ip", "netns", "add", name);
        Assert.Equal((0, ""), (code, error));
        Directory.CreateDirectory(Overrides);
        await File.WriteAllTextAsync(
            Path.Join(Overrides, "resolv.conf"), "nameserver 127.0.0.11\n", TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync("ip", "netns", "del", name);
        Directory.Delete(Overrides, recursive: true);
    }

    [Fact]
    public async Task The_program_sees_the_sandboxs_devices_and_files_and_its_code_is_passed_on()
    {
        Assert.Equal((0, "lo\n", ""), await ExecAsync("ls", "/sys/class/net"));
        Assert.Equal((0, "nameserver 127.0.0.11\n", ""), await ExecAsync("--", "cat", "/etc/resolv.conf"));
        Assert.Equal((7, "", ""), await ExecAsync("sh", "-c", "exit 7"));
        Assert.Equal((0, "a b\n", ""), await ExecAsync("echo", "a b"));
        Assert.NotEqual(
            "nameserver 127.0.0.11\n",
            await File.ReadAllTextAsync("/etc/resolv.conf", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_path_enters_the_same_namespace()
    {
        (int code, string output, _) = await RunAsync(
            Overlayd, "sandbox", "exec", $"/run/netns/{name}", "--", "cat", "/etc/resolv.conf");
        Assert.Equal((0, "nameserver 127.0.0.11\n"), (code, output));
    }

    [Fact]
    public async Task A_program_that_ends_a_pipe_early_is_told()
    {
        // With SIGPIPE ignored, as the runtime has it, `yes` would complain and exit with 1.
        (_, _, string error) = await RunAsync(
            "bash", "-c", $"{Overlayd} sandbox exec {name} yes | head -1 >/dev/null; echo ${{PIPESTATUS[0]}} >&2");
        Assert.Equal("141\n", error);
    }

    [Fact]
    public async Task What_cannot_be_run_is_told_as_a_shell_would()
    {
        Assert.Equal(
            (ExitCode.CommandNotFound, "", $"overlayd: cannot run nosuch in sandbox {name}: there is no such program.\n"),
            await ExecAsync("nosuch"));
        Assert.Equal(ExitCode.CannotExecute, (await ExecAsync("/etc/passwd")).Code);
        Assert.Equal(
            (ExitCode.NotFound, "",
                "overlayd: cannot run ls in sandbox nosuch: there is no sandbox nosuch on this host. "
                + "`overlayd sandbox ls` lists those there are.\n"),
            await RunAsync(Overlayd, "sandbox", "exec", "nosuch", "ls"));
        Assert.Equal(
            (ExitCode.Failure, "",
                "overlayd: cannot run ls in sandbox /etc/passwd: /etc/passwd is not a network namespace. "
                + "See `overlayd sandbox ls`.\n"),
            await RunAsync(Overlayd, "sandbox", "exec", "/etc/passwd", "ls"));
    }

    private static string Overlayd => Path.Join(AppContext.BaseDirectory, "overlayd");

    private Task<(int Code, string Out, string Error)> ExecAsync(params string[] command) =>
        RunAsync(Overlayd, ["sandbox", "exec", name, .. command]);

    private static async Task<(int Code, string Out, string Error)> RunAsync(string program, params string[] arguments)
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(stop);
        Task<string> error = process.StandardError.ReadToEndAsync(stop);
        await process.WaitForExitAsync(stop);
        return (process.ExitCode, await output, await error);
    }
}

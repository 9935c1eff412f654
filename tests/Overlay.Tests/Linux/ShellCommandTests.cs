using System.Diagnostics;
using System.Globalization;
using Overlay.Linux.Processes;

namespace Overlay.Tests.Linux;

/// <summary>Commands of /bin/sh: how they end, what they say, and that nothing is left of them.</summary>
public sealed class ShellCommandTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("true", 0, "")]
    [InlineData("exit 3", 3, "")]
    [InlineData("echo out; echo err >&2; exit 1", 1, "out\nerr\n")]
    [InlineData("kill -9 $$", 137, "")]
    [InlineData("no-such-program-anywhere 2>/dev/null", 127, "")]
    [InlineData("echo $A-$B; read x || echo end of file; pwd", 0, "1-two words\nend of file\n/\n")]
    public void It_ends_with_its_code_and_what_it_said(string text, int code, string said)
    {
        using ShellCommand command = ShellCommand.Start(text, "PATH=/usr/bin:/bin", "A=1", "B=two words");
        Assert.Equal(code, End(command));
        Assert.Equal(said, command.Output);
    }

    [Fact]
    public void It_inherits_no_variable_no_descriptor_and_no_ignored_signal()
    {
        using ShellCommand command = ShellCommand.Start(
            "env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=; ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status", "PATH=/usr/bin:/bin");
        Assert.Equal(0, End(command));
        string[] lines = command.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("PATH=/usr/bin:/bin", lines[0]);
        // The three, and the one that ls lists by.
        Assert.Equal("4", lines[1].Trim());
        // But for the two that are the C library's own, 32 and 33.
        Assert.Equal(0UL, Convert.ToUInt64(lines[2].Split('\t')[1], 16) & ~0x1_8000_0000UL);
    }

    [Fact]
    public void It_may_say_more_than_is_kept()
    {
        using ShellCommand command = ShellCommand.Start("yes | head -c 1000000; echo; exit 4", "PATH=/usr/bin:/bin");
        Assert.Equal(4, End(command));
        Assert.Equal(ShellCommand.MostOutputBytes, command.Output.Length);
    }

    [Fact]
    public void Disposed_it_ends_with_all_that_it_started()
    {
        int[] processes;
        using (ShellCommand command = ShellCommand.Start("sleep 600 & (sleep 600 & wait) & echo $$ $! ; wait", "PATH=/usr/bin:/bin"))
        {
            Assert.True(SpinWait.SpinUntil(() => command.TryEnd() is null && command.Output.EndsWith('\n'), Long));
            processes = [.. command.Output.Split(' ').Select(static n => int.Parse(n, CultureInfo.InvariantCulture))];
            Assert.All(processes, static p => Assert.True(IsAlive(p)));
        }

        Assert.True(SpinWait.SpinUntil(() => !processes.Any(IsAlive), Long));
    }

    [Fact]
    public void What_it_leaves_behind_ends_with_it()
    {
        using ShellCommand command = ShellCommand.Start("sleep 600 & echo $!", "PATH=/usr/bin:/bin");
        Assert.Equal(0, End(command));
        int left = int.Parse(command.Output, CultureInfo.InvariantCulture);
        Assert.True(SpinWait.SpinUntil(() => !IsAlive(left), Long));
    }

    [Fact]
    public void None_is_left_to_be_waited_for()
    {
        for (int i = 0; i < 20; i++)
        {
            ShellCommand.Start("sleep 600", "PATH=/usr/bin:/bin").Dispose();
        }

        Assert.True(SpinWait.SpinUntil(
            static () =>
            {
                ShellCommand.Start("true").Dispose();
                return Zombies() == 0;
            },
            Long));
    }

    private static int? End(ShellCommand command)
    {
        int? code = null;
        Assert.True(SpinWait.SpinUntil(() => (code = command.TryEnd()) is not null, Long));
        return code;
    }

    private static bool IsAlive(int pid)
    {
        try
        {
            // A zombie whose parent is another process is as good as gone.
            return File.ReadAllText($"/proc/{pid}/stat").Split(") ")[1][0] is not ('Z' or 'X');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It ended.
            return false;
        }
    }

    private static int Zombies() => Process.GetProcesses().Count(static p =>
    {
        using (p)
        {
            try
            {
                string[] fields = File.ReadAllText($"/proc/{p.Id}/stat").Split(") ")[1].Split(' ');
                return fields[0] == "Z" && fields[1] == Environment.ProcessId.ToString(CultureInfo.InvariantCulture)
                    && File.ReadAllText($"/proc/{p.Id}/comm").Trim() is "sh" or "sleep";
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or IndexOutOfRangeException)
            {
                // It ended meanwhile.
                return false;
            }
        }
    });
}

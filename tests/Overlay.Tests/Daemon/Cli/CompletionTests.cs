using System.Diagnostics;
using System.Text;
using Overlay.Daemon.Cli;

namespace Overlay.Tests.Daemon.Cli;

public sealed class CompletionTests
{
    private readonly CliSession session = new();

    [Fact]
    public async Task Bash_completes_commands_options_values_and_names()
    {
        string script = (await session.RunAsync("completion", "bash")).Out + """

            overlayd() { echo "a-$2 b-$2"; }
            at() { COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _overlayd; echo "${COMPREPLY[*]}"; }
            at overlayd ne
            at overlayd network ''
            at overlayd network in
            at overlayd network inspect ''
            at overlayd network inspect x y b
            at overlayd --format ''
            at overlayd --socket /s network ls --no
            at overlayd attach --name www blue ''
            at overlayd attach blue web ''
            at overlayd network create ''
            at overlayd token rotate ''

            """;

        Assert.Equal(
            """
            network
            create ls inspect rm
            inspect
            a-network b-network
            b-network
            table json
            --no-trunc --no-color
            a-sandbox b-sandbox


            a-role b-role

            """,
            await BashAsync(script));
    }

    [Fact]
    public async Task Scripts_hold_every_visible_command_and_option()
    {
        string bash = (await session.RunAsync("completion", "bash")).Out;
        string zsh = (await session.RunAsync("completion", "zsh")).Out;
        string fish = (await session.RunAsync("completion", "fish")).Out;
        foreach (CompletionNode node in CompletionNode.OfTree(UsageTests.Tree()))
        {
            Assert.Contains($"    '{node.Path}')\n", bash, StringComparison.Ordinal);
            Assert.Contains($"    '{node.Path}')\n", zsh, StringComparison.Ordinal);
            foreach (CompletionWord word in node.Commands.Concat(node.Switches))
            {
                Assert.Contains(word.Word, bash, StringComparison.Ordinal);
                string name = word.Word.StartsWith("--", StringComparison.Ordinal) ? "-l " + word.Word[2..]
                    : word.Word[0] == '-' ? "-s " + word.Word[1..] : "-a " + word.Word;
                string line = $"complete -c overlayd -n '__overlayd_at \"{node.Path}\"' {name} -d '";
                Assert.Contains(line, fish, StringComparison.Ordinal);
            }
        }

        Assert.DoesNotContain(" __complete '", bash, StringComparison.Ordinal);
        Assert.All(fish.Split('\n'), static line => Assert.True(
            line.Replace("\\'", "", StringComparison.Ordinal).Count(static c => c == '\'') % 2 == 0, line));
    }

    private static async Task<string> BashAsync(string script)
    {
        CancellationToken stop = TestContext.Current.CancellationToken;
        using Process bash = Process.Start(new ProcessStartInfo("bash", ["--norc", "--noprofile", "-s"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
        })!;
        Task<string> output = bash.StandardOutput.ReadToEndAsync(stop);
        Task<string> error = bash.StandardError.ReadToEndAsync(stop);
        await bash.StandardInput.WriteAsync(script.AsMemory(), stop);
        bash.StandardInput.Close();
        await bash.WaitForExitAsync(stop);
        Assert.Equal("", await error);
        return await output;
    }
}

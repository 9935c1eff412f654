using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary><c>unlock</c>, <c>unlock-key</c>, <c>update --autolock</c> and <c>init --autolock</c>: the key never is an argument.</summary>
public sealed class LockVerbTests : IAsyncLifetime
{
    private const string Key = "OVKEY-1-abcdefgh";
    private readonly CliSession session = new() { Time = TimeProvider.System };
    private readonly TemporaryFolder folder = new();
    private FakeAgent agent = null!;

    public async ValueTask InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        session["OVERLAYD_SOCKET"] = agent.SocketPath;
        agent.Answers<UnlockRequest>(new UnlockResponse { ClusterId = "c1", NodeId = "h1" });
        agent.Answers<ShowUnlockKeyRequest>(new UnlockKeyResponse { Key = Key });
        agent.Answers<RotateUnlockKeyRequest>(new UnlockKeyResponse { Key = Key });
        agent.Answers<UpdateClusterRequest>(new UpdateClusterResponse { Autolock = true, UnlockKey = Key });
        agent.Answers<InitRequest>(new InitResponse { ClusterId = "c1", NodeId = "h1", WorkerToken = "t", JoinCommand = "overlayd join t", UnlockKey = Key });
    }

    public async ValueTask DisposeAsync()
    {
        await agent.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task The_key_is_asked_for_or_read_from_a_file_or_standard_input()
    {
        session.Typed = Key;
        CliResult asked = await session.RunAsync("unlock");
        Assert.Equal((ExitCode.Ok, ""), (asked.ExitCode, asked.Out));
        Assert.StartsWith("Unlock key: This manager of cluster c1 is unlocked", asked.Error, StringComparison.Ordinal);

        session.Typed = null;
        session.Input = Key + "\nmore\n";
        Assert.Equal(ExitCode.Ok, (await session.RunAsync("unlock")).ExitCode);
        string file = Path.Combine(folder.Path, "key");
        await File.WriteAllTextAsync(file, Key + "\n", TestContext.Current.CancellationToken);
        session.Input = "";
        Assert.Equal(ExitCode.Ok, (await session.RunAsync("unlock", "--key-file", file)).ExitCode);
        Assert.Equal([Key, Key, Key], agent.Requests.Cast<UnlockRequest>().Select(static r => r.Key));
    }

    [Theory]
    [InlineData("", "no unlock key is given")]
    [InlineData("two words", "is not one line of text")]
    public async Task Without_a_key_nothing_is_asked(string input, string words)
    {
        session.Input = input;
        CliResult result = await session.RunAsync("unlock");
        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Contains(words, result.Error, StringComparison.Ordinal);
        CliResult missing = await session.RunAsync("unlock", "--key-file", Path.Combine(folder.Path, "none"));
        Assert.Equal(ExitCode.Usage, missing.ExitCode);
        Assert.Contains("cannot be read", missing.Error, StringComparison.Ordinal);
        CliResult argument = await session.RunAsync("unlock", Key);
        Assert.Equal(ExitCode.Usage, argument.ExitCode);
        Assert.Empty(agent.Requests);
    }

    [Theory]
    [InlineData("unlock-key show")]
    [InlineData("unlock-key rotate")]
    [InlineData("update --autolock=true")]
    public async Task The_key_goes_to_standard_output_and_the_talk_beside_it(string line)
    {
        CliResult quiet = await session.RunAsync([.. line.Split(' '), "-q"]);
        Assert.Equal((ExitCode.Ok, Key + "\n", ""), (quiet.ExitCode, quiet.Out, quiet.Error));
        CliResult told = await session.RunAsync(line.Split(' '));
        Assert.Equal((ExitCode.Ok, $"    {Key}\n"), (told.ExitCode, told.Out));
        Assert.Contains("Keep it in a safe place", told.Error, StringComparison.Ordinal);
        CliResult json = await session.RunAsync([.. line.Split(' '), "--format", "json"]);
        Assert.Contains(Key, json.Out, StringComparison.Ordinal);
        Assert.Equal("", json.Error);
    }

    [Fact]
    public async Task A_cluster_is_locked_from_the_beginning_or_later_or_no_longer()
    {
        CliResult begun = await session.RunAsync("init", "--autolock");
        Assert.Equal($"    {Key}\n    overlayd join t\n", begun.Out);
        Assert.True(Assert.IsType<InitRequest>(Assert.Single(agent.Requests)).Autolock);

        agent.Answers<UpdateClusterRequest>(new UpdateClusterResponse());
        CliResult open = await session.RunAsync("update", "--autolock=false");
        Assert.Equal((ExitCode.Ok, ""), (open.ExitCode, open.Out));
        Assert.Contains("without a key", open.Error, StringComparison.Ordinal);
        UpdateClusterRequest request = Assert.IsType<UpdateClusterRequest>(agent.Requests[^1]);
        Assert.True(request.HasAutolock && !request.Autolock);

        agent.Answers<UpdateClusterRequest>(new UpdateClusterResponse { ReplaceManagersSeconds = 600 });
        CliResult replaced = await session.RunAsync("update", "--replace-managers", "10m");
        Assert.Equal(
            (ExitCode.Ok, "", "A worker takes the place of a manager that is gone for 10 minutes."),
            (replaced.ExitCode, replaced.Out.Trim(), replaced.Error.Trim()));
        request = Assert.IsType<UpdateClusterRequest>(agent.Requests[^1]);
        Assert.Equal((false, 600L), (request.HasAutolock, request.ReplaceManagersSeconds));

        Assert.Equal(ExitCode.Usage, (await session.RunAsync("update")).ExitCode);
        Assert.Equal(ExitCode.Usage, (await session.RunAsync("update", "--autolock=maybe")).ExitCode);
    }
}

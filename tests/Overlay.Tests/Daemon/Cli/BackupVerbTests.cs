using Google.Protobuf;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Storage;
using Overlay.Tests.Cluster;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary><c>backup</c>, <c>restore</c> and <c>init --force-new-cluster</c>.</summary>
public sealed class BackupVerbTests : IAsyncLifetime
{
    private static readonly byte[] Key = new byte[UnlockKey.SecretBytes];
    private readonly CliSession session = new() { Time = TimeProvider.System };
    private readonly TemporaryFolder folder = new();
    private FakeAgent agent = null!;

    private string Target => Path.Combine(folder.Path, "backup");

    public async ValueTask InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        session["OVERLAYD_SOCKET"] = agent.SocketPath;
        Answer([]);
        InitResponse made = new()
        {
            ClusterId = "c1",
            NodeId = "h1",
            WorkerToken = "t",
            JoinCommand = "overlayd join t",
            Epoch = 2,
            FirstUndecided = 7,
            LastUndecided = 9,
        };
        agent.Answers<RestoreRequest>(made);
        agent.Answers<InitRequest>(made);
    }

    public async ValueTask DisposeAsync()
    {
        await agent.DisposeAsync();
        folder.Dispose();
    }

    private void Answer(byte[] key)
    {
        BackupHeader about = new() { ClusterId = "c1", Version = 12, Epoch = 1, Hostname = "host1", CreatedUnixMs = 1_795_260_000_000 };
        byte[] file = BackupFile.Write(about, new World().Store.Snapshot(), key);
        agent.Answers<BackupRequest>(new BackupResponse { File = ByteString.CopyFrom(file), About = about });
    }

    [Fact]
    public async Task A_backup_is_for_its_owner_only_and_replaces_nothing_by_itself()
    {
        CliResult made = await session.RunAsync("backup", Target);
        Assert.Equal((ExitCode.Ok, Target + "\n"), (made.ExitCode, made.Out));
        Assert.Contains("the root's key, the join tokens and the gossip keys in the clear", made.Error, StringComparison.Ordinal);
        Assert.Equal(DurableFile.Private, File.GetUnixFileMode(Target));
        byte[] first = await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken);

        CliResult again = await session.RunAsync("backup", Target);
        Assert.Equal(ExitCode.Conflict, again.ExitCode);
        Assert.Contains("is there already", again.Error, StringComparison.Ordinal);
        Assert.Equal(first, await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken));
        Assert.Single(agent.Requests);

        Answer(Key);
        CliResult forced = await session.RunAsync("backup", "--force", Target);
        Assert.Equal(ExitCode.Ok, forced.ExitCode);
        Assert.Contains("encrypted with the cluster's unlock key", forced.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await session.RunAsync("backup", folder.Path)).ExitCode);
        Assert.Equal(ExitCode.NotFound, (await session.RunAsync("backup", Path.Combine(folder.Path, "no", "b"))).ExitCode);
        CliResult json = await session.RunAsync("backup", "-f", Target, "--format", "json");
        Assert.Contains("\"version\": \"12\"", json.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_no_backup_is_refused_before_the_agent_is_asked()
    {
        await File.WriteAllTextAsync(Target, "something else entirely", TestContext.Current.CancellationToken);
        CliResult other = await session.RunAsync("restore", Target);
        Assert.Equal(ExitCode.Usage, other.ExitCode);
        Assert.Contains("no backup of an overlayd cluster", other.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.NotFound, (await session.RunAsync("restore", Target + "x")).ExitCode);
        Assert.Empty(agent.Requests);

        await session.RunAsync("backup", "--force", Target);
        byte[] bytes = await File.ReadAllBytesAsync(Target, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(Target, bytes[..^7], TestContext.Current.CancellationToken);
        CliResult cut = await session.RunAsync("restore", Target);
        Assert.Contains("a part of it is missing", cut.Error, StringComparison.Ordinal);
        Assert.Single(agent.Requests);
    }

    [Fact]
    public async Task It_is_restored_with_the_key_if_it_is_locked_and_told_of_what_is_superseded()
    {
        await session.RunAsync("backup", Target);
        CliResult looked = await session.RunAsync("restore", "--check", Target);
        Assert.Equal(ExitCode.Ok, looked.ExitCode);
        Assert.Contains("version 12, from host1", looked.Out, StringComparison.Ordinal);
        CliResult restored = await session.RunAsync("restore", Target, "--advertise-addr", "10.0.0.7");
        Assert.Equal((ExitCode.Ok, "    overlayd join t\n"), (restored.ExitCode, restored.Out));
        Assert.Contains("epoch 2", restored.Error, StringComparison.Ordinal);
        RestoreRequest request = Assert.IsType<RestoreRequest>(agent.Requests[^1]);
        Assert.Equal(("10.0.0.7", ""), (request.AdvertiseAddress, request.UnlockKey));

        Answer(Key);
        await session.RunAsync("backup", "--force", Target);
        Assert.Equal(ExitCode.Usage, (await session.RunAsync("restore", Target)).ExitCode);
        session.Input = UnlockKey.Of(Key).Format() + "\n";
        Assert.Equal(ExitCode.Ok, (await session.RunAsync("restore", Target)).ExitCode);
        Assert.Equal(UnlockKey.Of(Key).Format(), Assert.IsType<RestoreRequest>(agent.Requests[^1]).UnlockKey);
    }

    [Fact]
    public async Task A_cluster_is_begun_anew_with_other_addresses_and_nothing_else_of_a_new_one()
    {
        CliResult forced = await session.RunAsync("init", "--force-new-cluster", "--advertise-addr", "10.0.0.7");
        Assert.Equal((ExitCode.Ok, "    overlayd join t\n"), (forced.ExitCode, forced.Out));
        Assert.Contains("Entries 7 to 9 of its log may not have been decided", forced.Error, StringComparison.Ordinal);
        Assert.Contains("managers of before are refused", forced.Error, StringComparison.Ordinal);
        InitRequest request = Assert.IsType<InitRequest>(Assert.Single(agent.Requests));
        Assert.Equal((true, "10.0.0.7"), (request.ForceNewCluster, request.AdvertiseAddress));

        CliResult refused = await session.RunAsync("init", "--force-new-cluster", "--autolock");
        Assert.Equal(ExitCode.Usage, refused.ExitCode);
        Assert.Contains("--autolock cannot be given with --force-new-cluster", refused.Error, StringComparison.Ordinal);
        Assert.Single(agent.Requests);
    }
}

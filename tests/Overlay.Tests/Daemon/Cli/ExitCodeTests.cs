using System.Net.Sockets;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Cli;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>
/// Every way a call can fail: one sentence on standard error, nothing on standard output, the promised code.
/// </summary>
public sealed class ExitCodeTests : IAsyncLifetime
{
    private readonly CliSession session = new() { Time = TimeProvider.System };
    private FakeAgent agent = null!;

    public async ValueTask InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        session["OVERLAYD_SOCKET"] = agent.SocketPath;
    }

    public ValueTask DisposeAsync() => agent.DisposeAsync();

    [Fact]
    public async Task The_agents_own_words_and_code_are_passed_on()
    {
        foreach (int code in new[] { 1, 2, 4, 6, 8, 9 })
        {
            agent.Refuses<CreateNetworkRequest>(RefusalStatus.Create(
                StatusCode.Unknown, $"cannot create network blue {code}", "it is Tuesday", "Try again on Wednesday",
                code));
            Assert.Equal(
                new CliResult(
                    code, "", $"overlayd: cannot create network blue {code}: it is Tuesday. Try again on Wednesday.\n"),
                await session.RunAsync("network", "create", "blue"));
        }
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument, ExitCode.Usage, "cannot list the networks: because.")]
    [InlineData(StatusCode.NotFound, ExitCode.NotFound, "cannot list the networks: because.")]
    [InlineData(StatusCode.AlreadyExists, ExitCode.Conflict, "cannot list the networks: because.")]
    [InlineData(StatusCode.DeadlineExceeded, ExitCode.Timeout,
        "cannot list the networks: the agent did not answer in time. "
        + "Try again with a larger --timeout, and see `overlayd status`.")]
    [InlineData(StatusCode.Unimplemented, ExitCode.Failure,
        "cannot list the networks: the agent that runs is of another version and does not know this request. "
        + "Compare `overlayd version --server` and restart the agent.")]
    [InlineData(StatusCode.Internal, ExitCode.Failure,
        "cannot list the networks: because. See the agent's log: `journalctl -u overlayd`.")]
    [InlineData(StatusCode.Unavailable, ExitCode.AgentUnreachable,
        "cannot list the networks: the agent closed the connection (because). See its log: `journalctl -u overlayd`.")]
    public async Task A_status_without_details_has_a_code_too(StatusCode status, int exitCode, string sentence)
    {
        agent.Refuses<ListNetworksRequest>(new RpcException(new Status(status, "because")));

        Assert.Equal(new CliResult(exitCode, "", $"overlayd: {sentence}\n"), await session.RunAsync("network", "ls"));
    }

    [Fact]
    public async Task Details_that_cannot_be_read_fall_back_to_the_status()
    {
        Metadata trailers = [];
        trailers.Add(RefusalStatus.Trailer, [0xff, 0xff, 0xff]);
        agent.Refuses<ListNetworksRequest>(new RpcException(new Status(StatusCode.NotFound, "because"), trailers));

        Assert.Equal(
            new CliResult(ExitCode.NotFound, "", "overlayd: cannot list the networks: because.\n"),
            await session.RunAsync("network", "ls"));
    }

    [Fact]
    public async Task An_agent_that_is_silent_is_given_up_on()
    {
        agent.Answers<ListNetworksRequest>(static async (_, context) =>
        {
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
            return new ListNetworksResponse();
        });

        CliResult result = await session.RunAsync("network", "ls", "--timeout", "100ms");

        Assert.Equal(ExitCode.Timeout, result.ExitCode);
        Assert.Equal(
            "overlayd: cannot list the networks: the agent did not answer in time", result.Error.Split('.')[0]);
    }

    [Theory]
    [InlineData("network ls", "cannot list the networks")]
    [InlineData("status", "cannot show the status")]
    [InlineData("network rm a b", "cannot remove network a")]
    [InlineData("attach blue web", "cannot attach web to network blue")]
    public async Task Without_an_agent_the_user_is_told_how_to_start_it(string line, string what)
    {
        session["OVERLAYD_SOCKET"] = "/nonexistent/overlayd.sock";

        Assert.Equal(
            new CliResult(
                ExitCode.AgentUnreachable,
                "",
                $"overlayd: {what}: the agent is not running on this host (nobody serves /nonexistent/overlayd.sock). "
                + "Start it with `systemctl start overlayd` or `overlayd run`.\n"),
            await session.RunAsync(line.Split(' ')));
    }

    [Fact]
    public async Task A_socket_that_nobody_serves_any_more_is_the_same()
    {
        string stale = agent.SocketPath + "-stale";
        using (Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Bind(new UnixDomainSocketEndPoint(stale));
        }

        CliResult result = await session.RunAsync("--socket", stale, "node", "ls");
        Assert.Equal(ExitCode.AgentUnreachable, result.ExitCode);
        Assert.Contains("the agent is not running on this host", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_the_right_to_the_socket_the_user_is_told_how_to_get_it() => Assert.Equal(
        "cannot x: you may not use the agent's socket /run/s. "
        + "Run the command with sudo, or add yourself to the group that owns the socket: "
        + "`sudo usermod -aG overlayd $USER`, then log in again.",
        AgentConnection.Unreachable("/run/s", SocketError.AccessDenied, "cannot x").Sentence);

    [Fact]
    public async Task Completion_is_silent_without_an_agent()
    {
        session["OVERLAYD_SOCKET"] = "/nonexistent/overlayd.sock";
        Assert.Equal(new CliResult(ExitCode.Ok, "", ""), await session.RunAsync("__complete", "network"));
    }

    [Fact]
    public async Task One_failure_does_not_keep_the_others_from_being_done()
    {
        agent.Answers<RemoveNetworkRequest>(static (request, _) => request.Network == "b"
            ? throw RefusalStatus.ToException(new Refusal(
                RefusalKind.NotFound, "Network 'b' was not removed.", "There is no such network.",
                "See `overlayd network ls`."))
            : Task.FromResult<Google.Protobuf.IMessage>(new RemoveNetworkResponse { Id = request.Network }));

        Assert.Equal(
            new CliResult(
                ExitCode.NotFound, "a\nc\n",
                "overlayd: network 'b' was not removed: there is no such network. See `overlayd network ls`.\n"),
            await session.RunAsync("network", "rm", "a", "b", "c"));
    }

    [Fact]
    public async Task Inspecting_what_is_not_there_prints_no_data_and_what_is_there_is_still_shown()
    {
        agent.Answers<InspectNodeRequest>(static (request, _) => request.Node == "a"
            ? throw RefusalStatus.ToException(new Refusal(RefusalKind.NotFound, "Cannot show a.", "It is not there.", ""))
            : Task.FromResult<Google.Protobuf.IMessage>(new NodeView { Id = request.Node }));

        Assert.Equal(
            new CliResult(ExitCode.NotFound, "", "overlayd: cannot show a: it is not there.\n"),
            await session.RunAsync("node", "inspect", "a"));
        CliResult both = await session.RunAsync("node", "inspect", "a", "b");
        Assert.Equal(ExitCode.NotFound, both.ExitCode);
        Assert.Contains("\"id\": \"b\"", both.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "not in a cluster", "", ExitCode.NotInCluster)]
    [InlineData("c1", "ready", "", ExitCode.Ok)]
    [InlineData("c1", "ready", "something is wrong", ExitCode.Degraded)]
    [InlineData("c1", "degraded", "", ExitCode.Degraded)]
    public async Task Status_says_by_its_code_how_the_node_is(
        string cluster, string state, string problem, int exitCode)
    {
        StatusResponse status = new() { ClusterId = cluster, State = state, Version = "1.0.0" };
        if (problem.Length > 0)
        {
            status.Problems.Add(problem);
        }

        agent.Answers<GetStatusRequest>(status);

        CliResult quiet = await session.RunAsync("status", "-q");
        Assert.Equal(new CliResult(exitCode, state + "\n", ""), quiet);
        CliResult people = await session.RunAsync("status");
        Assert.Equal(exitCode, people.ExitCode);
        Assert.StartsWith($"State:       {state}\n", people.Out, StringComparison.Ordinal);
        Assert.Equal(problem.Length > 0, people.Out.Contains($"Problem:     {problem}\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_agent_runs_with_the_settings_and_its_code_is_that_of_the_process()
    {
        AgentSettings? settings = await session.SettingsOfAsync(
            "--gossip-port", "1", "--dns", "192.0.2.1", "--dns", "192.0.2.2");
        Assert.Equal((1, 2), (settings?.GossipPort, settings?.DnsServers.Count));
        Assert.Equal(agent.SocketPath, settings?.SocketPath);

        session.RunAgent = static (_, _) => Task.FromResult(5);
        Assert.Equal(5, (await session.RunAsync("run")).ExitCode);
    }

    [Fact]
    public async Task Wrong_settings_are_all_told_and_nothing_runs()
    {
        session.RunAgent = static (_, _) => throw new InvalidOperationException();
        session["OVERLAYD_LOG_LEVEL"] = "loud";
        Assert.Equal(
            new CliResult(
                ExitCode.Usage, "",
                """
                overlayd: cannot start: 2 settings are wrong. See `overlayd run --help`.
                  --gossip-port is 'x', which is not a port: use a number from 1 to 65535
                  OVERLAYD_LOG_LEVEL is 'loud': use trace, debug, info, warning or error

                """),
            await session.RunAsync("run", "--gossip-port", "x"));
    }

    [Fact]
    public async Task Settings_can_be_checked_with_their_origins()
    {
        session["OVERLAYD_LOG_LEVEL"] = "debug";
        CliResult result = await session.RunAsync("run", "--check", "--gossip-port", "7000");
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        Assert.Matches(@"(?m)^gossip-port +7000 +flag$", result.Out);
        Assert.Matches(@"(?m)^log-level +debug +environment$", result.Out);
        Assert.Matches(@"(?m)^manager-port +2377 +default$", result.Out);
    }
}

using Google.Protobuf;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>What each verb asks the agent, and what it prints of the answer.</summary>
public sealed class VerbTests : IAsyncLifetime
{
    private readonly CliSession session = new() { Time = TimeProvider.System };
    private FakeAgent agent = null!;

    public async ValueTask InitializeAsync()
    {
        agent = await FakeAgent.StartAsync();
        session["OVERLAYD_SOCKET"] = agent.SocketPath;
        NetworkView network = new() { Network = new NetworkObject { Id = "n1", Name = "blue" } };
        EndpointView endpoint = new()
        {
            Id = "e1",
            Name = "web",
            Network = "blue",
            Ipv4 = "10.0.0.2/24",
            Ipv6 = "fd00::2/64",
            Interface = "eth0",
            Node = "host1",
            State = "ready",
        };
        SandboxView sandbox = new() { Name = "web", Path = "/run/netns/web", Endpoints = { endpoint } };
        TokenResponse token =
            new() { Token = "OVTKN-1-a-b", JoinCommand = "overlayd join --token OVTKN-1-a-b 10.0.0.1:2377" };
        agent.Answers<InitRequest>(new InitResponse
        {
            ClusterId = "c1",
            NodeId = "h1",
            WorkerToken = token.Token,
            JoinCommand = token.JoinCommand,
        });
        agent.Answers<JoinRequest>(new JoinResponse { ClusterId = "c1", NodeId = "h2", Role = NodeRole.Worker });
        agent.Answers<LeaveRequest>(new LeaveResponse());
        agent.Answers<GetVersionRequest>(
            new VersionResponse { Version = "9.9.9", Revision = "abc", Runtime = ".NET 10" });
        agent.Answers<ShowTokenRequest>(token);
        agent.Answers<RotateTokenRequest>(token);
        agent.Answers<ListNodesRequest>(
            new ListNodesResponse { Nodes = { new NodeView { Id = "h1", Hostname = "host1" } } });
        agent.Answers<InspectNodeRequest>(new NodeView { Id = "h1", Hostname = "host1" });
        agent.Answers<RemoveNodeRequest>(new RemoveNodeResponse { Id = "h1" });
        agent.Answers<CreateNetworkRequest>(network);
        agent.Answers<ListNetworksRequest>(new ListNetworksResponse { Networks = { network } });
        agent.Answers<InspectNetworkRequest>(network);
        agent.Answers<RemoveNetworkRequest>(new RemoveNetworkResponse { Id = "n1" });
        ServiceView service = new() { Service = new ServiceObject { Id = "s1", Name = "api" }, Network = "blue" };
        agent.Answers<CreateServiceRequest>(service);
        agent.Answers<UpdateServiceRequest>(new UpdateServiceResponse { Service = service, Changed = true });
        agent.Answers<ListServicesRequest>(new ListServicesResponse { Services = { service } });
        agent.Answers<InspectServiceRequest>(service);
        agent.Answers<RemoveServiceRequest>(new RemoveServiceResponse { Id = "s1", Endpoints = 2 });
        agent.Answers<CreateSandboxRequest>(sandbox);
        agent.Answers<ListSandboxesRequest>(new ListSandboxesResponse { Sandboxes = { sandbox } });
        agent.Answers<RemoveSandboxRequest>(new RemoveSandboxResponse());
        agent.Answers<AttachRequest>(endpoint);
        agent.Answers<DetachRequest>(new DetachResponse { Id = "e1" });
        agent.Answers<ListEndpointsRequest>(new ListEndpointsResponse { Endpoints = { endpoint } });
        agent.Answers<InspectEndpointRequest>(endpoint);
    }

    public ValueTask DisposeAsync() => agent.DisposeAsync();

    [Theory]
    [InlineData("init -q", "{ }", "OVTKN-1-a-b\n")]
    [InlineData("init", "{ }", "    overlayd join --token OVTKN-1-a-b 10.0.0.1:2377\n")]
    [InlineData(
        "init --advertise-addr eth0 --listen-addr 10.0.0.1:2378 --data-path-addr 10.9.0.1 "
        + "--default-addr-pool 10.0.0.0/8 --default-addr-pool fd00::/48 --default-addr-pool-mask-length 26 "
        + "--data-path-port 4790 --cert-expiry 90d -q",
        "{ \"advertiseAddress\": \"eth0\", \"listenAddress\": \"10.0.0.1:2378\", \"dataPathAddress\": \"10.9.0.1\", "
        + "\"defaultAddressPools\": [ \"10.0.0.0/8\", \"fd00::/48\" ], \"defaultPoolPrefix\": 26, \"vxlanPort\": 4790, "
        + "\"certificateLifeSeconds\": \"7776000\" }",
        "OVTKN-1-a-b\n")]
    [InlineData(
        "join --token OVTKN-1-x 10.0.0.1 [fd00::1]:99 fd00::2 m.example:7 m2",
        "{ \"token\": \"OVTKN-1-x\", \"managerAddresses\": [ \"10.0.0.1:2377\", \"[fd00::1]:99\", \"[fd00::2]:2377\", "
        + "\"m.example:7\", \"m2:2377\" ] }",
        "h2\n")]
    [InlineData("leave --force", "{ \"force\": true }", "")]
    [InlineData(
        "token show", "{ \"role\": \"NODE_ROLE_WORKER\" }", "    overlayd join --token OVTKN-1-a-b 10.0.0.1:2377\n")]
    [InlineData("token show manager -q", "{ \"role\": \"NODE_ROLE_MANAGER\" }", "OVTKN-1-a-b\n")]
    [InlineData("token rotate worker --quiet", "{ \"role\": \"NODE_ROLE_WORKER\" }", "OVTKN-1-a-b\n")]
    [InlineData("node ls -q", "{ }", "h1\n")]
    [InlineData("node list -q --filter name=other", "{ }", "")]
    [InlineData("node rm --force host1", "{ \"node\": \"host1\", \"force\": true }", "host1\n")]
    [InlineData(
        "network create --vni 5000 --mtu 1400 --label a=b=c --label d --internal --attachable --ipv6 "
        + "--subnet 10.1.0.0/24 --subnet fd00::/64 --gateway 10.1.0.1 --ip-range 10.1.0.128/25 blue",
        "{ \"name\": \"blue\", \"subnets\": [ \"10.1.0.0/24\", \"fd00::/64\" ], \"gateways\": [ \"10.1.0.1\" ], "
        + "\"ipRanges\": [ \"10.1.0.128/25\" ], \"vni\": 5000, \"mtu\": 1400, "
        + "\"labels\": { \"a\": \"b=c\", \"d\": \"\" }, "
        + "\"internal\": true, \"attachable\": true, \"ipv6\": true, \"requestId\": \"*\" }",
        "n1\n")]
    [InlineData("network ls -q", "{ }", "n1\n")]
    [InlineData("network rm blue", "{ \"network\": \"blue\" }", "blue\n")]
    [InlineData("network remove blue", "{ \"network\": \"blue\" }", "blue\n")]
    [InlineData(
        "service create web --network blue",
        "{ \"name\": \"web\", \"network\": \"blue\", \"endpointMode\": \"ENDPOINT_MODE_VIP\", \"requestId\": \"*\" }",
        "s1\n")]
    [InlineData(
        "service create --network blue --endpoint-mode dnsrr --label a=b --label c web",
        "{ \"name\": \"web\", \"network\": \"blue\", \"endpointMode\": \"ENDPOINT_MODE_DNSRR\", "
        + "\"labels\": { \"a\": \"b\", \"c\": \"\" }, \"requestId\": \"*\" }",
        "s1\n")]
    [InlineData(
        "service create --network blue --vip 10.0.0.80 --vip fd00::80 --scheduler sh web",
        "{ \"name\": \"web\", \"network\": \"blue\", \"endpointMode\": \"ENDPOINT_MODE_VIP\", \"requestId\": \"*\", "
        + "\"virtualAddresses\": [ \"10.0.0.80\", \"fd00::80\" ], \"scheduler\": \"sh\" }",
        "s1\n")]
    [InlineData(
        "service create web --network blue -p 53:53/udp --publish published=80,target=8080,mode=host,ip=192.0.2.1",
        "{ \"name\": \"web\", \"network\": \"blue\", \"endpointMode\": \"ENDPOINT_MODE_VIP\", \"requestId\": \"*\", \"ports\": [ "
        + "{ \"protocol\": \"PORT_PROTOCOL_UDP\", \"published\": 53, \"target\": 53 }, { \"protocol\": \"PORT_PROTOCOL_TCP\", "
        + "\"published\": 80, \"target\": 8080, \"mode\": \"PUBLISH_MODE_HOST\", \"address\": \"192.0.2.1\" } ] }",
        "s1\n")]
    [InlineData(
        "service update web --health http:8080/healthz --health-interval 5s",
        "{ \"service\": \"web\", \"health\": { \"kind\": \"HEALTH_KIND_HTTP\", \"port\": 8080, \"path\": \"/healthz\", \"intervalMs\": \"5000\" } }",
        "api\n")]
    [InlineData("service update web --health none", "{ \"service\": \"web\", \"noHealth\": true }", "api\n")]
    [InlineData(
        "service update web --publish-add target=80,mode=host --publish-rm 53/udp --scheduler sh --label-add a=b --label-rm c",
        "{ \"service\": \"web\", \"scheduler\": \"sh\", \"labelAdd\": { \"a\": \"b\" }, \"labelRm\": [ \"c\" ], \"publishAdd\": [ "
        + "{ \"protocol\": \"PORT_PROTOCOL_TCP\", \"target\": 80, \"mode\": \"PUBLISH_MODE_HOST\" } ], "
        + "\"publishRm\": [ { \"target\": 53, \"protocol\": \"PORT_PROTOCOL_UDP\" } ] }",
        "api\n")]
    [InlineData("service ls -q", "{ }", "s1\n")]
    [InlineData("service list --network blue -q --filter mode=dnsrr", "{ \"network\": \"blue\" }", "")]
    [InlineData("service rm web", "{ \"service\": \"web\" }", "web\n")]
    [InlineData("service remove web", "{ \"service\": \"web\" }", "web\n")]
    [InlineData("sandbox create web", "{ \"name\": \"web\" }", "web\n")]
    [InlineData("sandbox ls -q", "{ }", "web\n")]
    [InlineData("sandbox rm web -f", "{ \"name\": \"web\", \"force\": true }", "web\n")]
    [InlineData(
        "attach blue web --name www --alias a --alias b --ip 10.0.0.9 "
        + "--ip6 fd00::9 --mac 02:42:0a:00:00:09 --interface net0",
        "{ \"network\": \"blue\", \"sandbox\": \"web\", \"name\": \"www\", "
        + "\"aliases\": [ \"a\", \"b\" ], \"ipv4\": \"10.0.0.9\", "
        + "\"ipv6\": \"fd00::9\", \"mac\": \"02:42:0a:00:00:09\", \"interface\": \"net0\", \"requestId\": \"*\" }",
        "e1\n")]
    [InlineData(
        "attach blue web --service api",
        "{ \"network\": \"blue\", \"sandbox\": \"web\", \"requestId\": \"*\", \"service\": \"api\" }", "e1\n")]
    [InlineData(
        "attach blue web --service api:65535",
        "{ \"network\": \"blue\", \"sandbox\": \"web\", \"requestId\": \"*\", \"service\": \"api\", \"weight\": 65535 }",
        "e1\n")]
    [InlineData("attach blue --pid 42", "{ \"network\": \"blue\", \"sandbox\": \"42\", \"requestId\": \"*\" }", "e1\n")]
    [InlineData(
        "attach blue /proc/42/ns/net",
        "{ \"network\": \"blue\", \"sandbox\": \"/proc/42/ns/net\", \"requestId\": \"*\" }",
        "e1\n")]
    [InlineData("detach blue web", "{ \"network\": \"blue\", \"sandbox\": \"web\" }", "e1\n")]
    [InlineData("detach e1", "{ \"endpoint\": \"e1\" }", "e1\n")]
    [InlineData("endpoint ls --network blue --local -q", "{ \"network\": \"blue\", \"local\": true }", "e1\n")]
    [InlineData("endpoint ls -q -f status=ready -f node=host1", "{ }", "e1\n")]
    [InlineData("version --server", "{ }", "overlayd 9.9.9 (abc, .NET 10)\n")]
    [InlineData("version --server -q", "{ }", "9.9.9\n")]
    public async Task Asks_the_agent_and_prints_its_answer(string line, string request, string output)
    {
        CliResult result = await session.RunAsync(line.Split(' '));

        Assert.Equal((ExitCode.Ok, output), (result.ExitCode, result.Out));
        Assert.Equal(request, Text(Assert.Single(agent.Requests)));
    }

    [Theory]
    [InlineData("network inspect blue", "{ \"network\": \"blue\" }", "\"name\": \"blue\"")]
    [InlineData("network inspect --verbose blue", "{ \"network\": \"blue\", \"verbose\": true }", "\"leases\": []")]
    [InlineData("service inspect web", "{ \"service\": \"web\" }", "\"backends\": []")]
    [InlineData("node inspect self", "{ \"node\": \"self\" }", "\"hostname\": \"host1\"")]
    [InlineData("endpoint inspect web", "{ \"endpoint\": \"web\" }", "\"ipv4\": \"10.0.0.2/24\"")]
    [InlineData("network ls --format json", "{ }", "\"id\": \"n1\"")]
    [InlineData(
        "attach blue web --format json",
        "{ \"network\": \"blue\", \"sandbox\": \"web\", \"requestId\": \"*\" }",
        "\"id\": \"e1\"")]
    public async Task Prints_json(string line, string request, string part)
    {
        CliResult result = await session.RunAsync(line.Split(' '));

        Assert.Equal(ExitCode.Ok, result.ExitCode);
        Assert.Contains(part, result.Out, StringComparison.Ordinal);
        Assert.Equal("", result.Error);
        Assert.Equal(request, Text(Assert.Single(agent.Requests)));
    }

    [Fact]
    public async Task People_are_told_more_on_standard_error()
    {
        CliResult result = await session.RunAsync("init");
        Assert.Equal(
            """
            This node (h1) is now the manager of cluster c1.
            To add a worker, run this on it:


            Next: `overlayd network create NAME`. `overlayd token show worker` prints the token again.

            """,
            result.Error);
        Assert.Equal(
            "web has 10.0.0.2/24 and fd00::2/64 on eth0 in network blue.\n",
            (await session.RunAsync("attach", "blue", "web")).Error);
        Assert.Equal("", (await session.RunAsync("attach", "-q", "blue", "web")).Error);
        Assert.Equal(
            "The 2 endpoints that were its backends go on without the name web.\n",
            (await session.RunAsync("service", "rm", "web")).Error);
        Assert.Equal("", (await session.RunAsync("service", "rm", "-q", "web")).Error);
        Assert.Equal("This node has left the cluster.\n", (await session.RunAsync("leave")).Error);
    }

    [Fact]
    public async Task The_join_token_can_come_from_three_other_places()
    {
        session["OVERLAYD_JOIN_TOKEN"] = "OVTKN-1-env";
        session.Input = "OVTKN-1-stdin\nmore\n";
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "  OVTKN-1-file\n", TestContext.Current.CancellationToken);

        await session.RunAsync("join", "10.0.0.1");
        await session.RunAsync("join", "--token", "-", "10.0.0.1");
        await session.RunAsync("join", "--token-file", file, "10.0.0.1");

        File.Delete(file);
        Assert.Equal(
            ["OVTKN-1-env", "OVTKN-1-stdin", "OVTKN-1-file"],
            agent.Requests.Cast<JoinRequest>().Select(static r => r.Token));
    }

    [Theory]
    [InlineData("network", "blue\n")]
    [InlineData("node", "host1\n")]
    [InlineData("service", "api\n")]
    [InlineData("sandbox", "web\n")]
    [InlineData("endpoint", "e1\nweb\n")]
    [InlineData("role", "manager\nworker\n")]
    [InlineData("shell", "bash\nfish\nzsh\n")]
    [InlineData("unheard-of", "")]
    public async Task Shells_are_given_names(string kind, string names)
    {
        CliResult result = await session.RunAsync("__complete", kind);
        Assert.Equal((ExitCode.Ok, names, ""), (result.ExitCode, result.Out, result.Error));
    }

    /// <summary>The request as JSON; the random id that makes a retry harmless is only checked to be there.</summary>
    private static string Text(IMessage request)
    {
        string text = JsonFormatter.Default.Format(request);
        int at = text.IndexOf("\"requestId\": \"", StringComparison.Ordinal);
        return at < 0 ? text : string.Concat(text.AsSpan(0, at), "\"requestId\": \"*\"", text.AsSpan(at + 14 + 32 + 1));
    }
}

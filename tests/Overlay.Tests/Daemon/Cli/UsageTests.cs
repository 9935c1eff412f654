using System.CommandLine;
using Overlay.Daemon.Cli;
using Overlay.Daemon.Errors;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>Command lines that are wrong: always exit code 2, one sentence each, nothing on standard output.</summary>
public sealed class UsageTests
{
    private readonly CliSession session = new();

    [Theory]
    [InlineData("nework ls", "overlayd has no command 'nework'. Did you mean network?", "overlayd")]
    [InlineData("zzzzzz", "overlayd has no command 'zzzzzz'.", "overlayd")]
    [InlineData(
        "network craete x", "overlayd network has no command 'craete'. Did you mean create?", "overlayd network")]
    [InlineData("network", "overlayd network needs a command: create, ls, inspect, rm.", "overlayd network")]
    [InlineData("token", "overlayd token needs a command: show, rotate.", "overlayd token")]
    [InlineData("network create", "overlayd network create needs NAME.", "overlayd network create")]
    [InlineData(
        "network create a b", "overlayd network create does not take the argument 'b'.", "overlayd network create")]
    [InlineData("network create --subnt 10.0.0.0/24 a",
        "overlayd network create has no option '--subnt'. Did you mean --subnet?", "overlayd network create")]
    [InlineData(
        "network create --label --bogus a",
        "overlayd network create has no option '--bogus'.",
        "overlayd network create")]
    [InlineData("network create a --subnet", "--subnet needs a value: PREFIX.", "overlayd network create")]
    [InlineData("network create --subnet 10.0.0.1/24 a",
        "--subnet is '10.0.0.1/24': use a prefix like 10.1.0.0/24 or fd00:1::/64, with no bits set after the length.",
        "overlayd network create")]
    [InlineData(
        "network create --gateway 10.0.0 a", "--gateway is '10.0.0': use an IP address.", "overlayd network create")]
    [InlineData(
        "network create --vni 16777216 a",
        "--vni is '16777216': use a number from 1 to 16777215.",
        "overlayd network create")]
    [InlineData(
        "network create --mtu 576 a", "--mtu is '576': use a number from 1280 to 65535.", "overlayd network create")]
    [InlineData(
        "network create --label a=1 --label a=2 x",
        "--label gives one key twice: give each key once.",
        "overlayd network create")]
    [InlineData("network create --label =1 x", "--label is '=1': write it like tier=front.", "overlayd network create")]
    [InlineData("network ls --format yaml", "--format is 'yaml': use table or json.", "overlayd network ls")]
    [InlineData("network ls --filter blue", "--filter is 'blue': write it like name=web.", "overlayd network ls")]
    [InlineData(
        "network ls --timeout 5",
        "--timeout is '5': write a duration like 500ms, 30s, 5m or 90d.",
        "overlayd network ls")]
    [InlineData(
        "network ls --timeout 0s",
        "--timeout is '0s': write a duration like 500ms, 30s, 5m or 90d.",
        "overlayd network ls")]
    [InlineData("status --filter name=a", "overlayd status has no option '--filter'.", "overlayd status")]
    [InlineData("network rm", "overlayd network rm needs NETWORK.", "overlayd network rm")]
    [InlineData("service", "overlayd service needs a command: create, update, ls, inspect, rm.", "overlayd service")]
    [InlineData("service create --network blue", "overlayd service create needs NAME.", "overlayd service create")]
    [InlineData("service create web", "overlayd service create needs --network.", "overlayd service create")]
    [InlineData("service create web --network", "--network needs a value: NETWORK.", "overlayd service create")]
    [InlineData(
        "service create web --network blue --endpoint-mode rr", "--endpoint-mode is 'rr': use vip or dnsrr.", "overlayd service create")]
    [InlineData("service create web --network blue --vip 10.0.0", "--vip is '10.0.0': use an IP address.", "overlayd service create")]
    [InlineData("service create web --network blue --scheduler", "--scheduler needs a value: SCHEDULER.", "overlayd service create")]
    [InlineData(
        "service create web --network blue --publish 0", "--publish is '0': target is '0': use a port from 1 to 65535.", "overlayd service create")]
    [InlineData("service create web --network blue --replicas 3", "overlayd service create has no option '--replicas'.", "overlayd service create")]
    [InlineData(
        "service update web --publish-rm 80:80", "--publish-rm is '80:80': use the port that the backends listen on, like 80 or 53/udp.",
        "overlayd service update")]
    [InlineData("service inspect", "overlayd service inspect needs SERVICE.", "overlayd service inspect")]
    [InlineData("service rm", "overlayd service rm needs SERVICE.", "overlayd service rm")]
    [InlineData(
        "attach blue web --service api:0", "--service is 'api:0': use a service's name, and maybe a weight from 1 to 65535, like web:10.",
        "overlayd attach")]
    [InlineData(
        "attach blue web --service api:65536",
        "--service is 'api:65536': use a service's name, and maybe a weight from 1 to 65535, like web:10.", "overlayd attach")]
    [InlineData(
        "attach blue web --service :1", "--service is ':1': use a service's name, and maybe a weight from 1 to 65535, like web:10.",
        "overlayd attach")]
    [InlineData("attach blue", "attach takes either SANDBOX or --pid.", "overlayd attach")]
    [InlineData("attach blue web --pid 7", "attach takes either SANDBOX or --pid.", "overlayd attach")]
    [InlineData("attach blue --pid 0", "--pid is '0': use a number from 1 to 4194304.", "overlayd attach")]
    [InlineData("attach blue web --ip fd00::1", "--ip is 'fd00::1': use an IPv4 address.", "overlayd attach")]
    [InlineData("attach blue web --ip6 10.0.0.1", "--ip6 is '10.0.0.1': use an IPv6 address.", "overlayd attach")]
    [InlineData("attach blue web --mac 01:00:5e:00:00:01",
        "--mac is '01:00:5e:00:00:01': use a unicast Ethernet address like 02:42:0a:00:00:05.", "overlayd attach")]
    [InlineData(
        "init --advertise-addr 10.0.0",
        "--advertise-addr is '10.0.0': use an address or an interface, and maybe a port.",
        "overlayd init")]
    [InlineData(
        "init --data-path-addr eth0:1",
        "--data-path-addr is 'eth0:1': use an address or an interface, without a port.",
        "overlayd init")]
    [InlineData("init --cert-expiry 5m", "--cert-expiry is shorter than 1h: use at least 1h.", "overlayd init")]
    [InlineData(
        "init --data-path-port 80", "--data-path-port is '80': use a number from 1024 to 65535.", "overlayd init")]
    [InlineData("node update host2", "overlayd node update needs --availability, --label-add or --label-rm.", "overlayd node update")]
    [InlineData("node update --availability drain", "overlayd node update needs NODE.", "overlayd node update")]
    [InlineData(
        "node update --availability off host2", "--availability is 'off': use active, pause or drain.", "overlayd node update")]
    [InlineData("node update --label-add =x host2", "--label-add is '=x': write it like tier=front.", "overlayd node update")]
    [InlineData(
        "update --replace-managers 9s", "--replace-managers is '9s': use off or a duration from 10s to 30d, like 10m.", "overlayd update")]
    [InlineData(
        "update --replace-managers never", "--replace-managers is 'never': use off or a duration from 10s to 30d, like 10m.",
        "overlayd update")]
    [InlineData("join --token t", "overlayd join needs HOST:PORT.", "overlayd join")]
    [InlineData(
        "join --token t 10.0.0.1:0",
        "'10.0.0.1:0' is not the address of a manager: write it like 192.0.2.1:2377.",
        "overlayd join")]
    [InlineData("token show boss", "'boss' is not a role: use worker or manager.", "overlayd token show")]
    [InlineData("completion tcsh", "there is no completion for 'tcsh': use bash, zsh or fish.", "overlayd completion")]
    [InlineData("sandbox exec web", "overlayd sandbox exec needs COMMAND.", "overlayd sandbox exec")]
    public async Task Says_what_is_wrong_and_where_the_help_is(string line, string sentence, string help)
    {
        CliResult result = await session.RunAsync(line.Split(' '));

        Assert.Equal($"overlayd: {sentence}\nSee `{help} --help`.\n", result.Error);
        Assert.Equal("", result.Out);
        Assert.Equal(ExitCode.Usage, result.ExitCode);
    }

    [Fact]
    public async Task Tells_all_wrong_values_at_once()
    {
        CliResult result = await session.RunAsync(
            "network", "create", "--vni", "0", "--mtu", "1", "--subnet", "x", "blue");

        Assert.Equal(4, result.Error.Count(static c => c == '\n'));
        Assert.Equal(ExitCode.Usage, result.ExitCode);
    }

    [Theory]
    [InlineData(
        "join 10.0.0.1", "no token is given. Use --token; `overlayd token show worker` on a manager prints it.")]
    [InlineData(
        "join 10.0.0.1 --token -",
        "no token is given. Use --token; `overlayd token show worker` on a manager prints it.")]
    [InlineData("join 10.0.0.1 --token a --token-file b", "both --token and --token-file are given. Use one of them.")]
    [InlineData(
        "join 10.0.0.1 --token-file /nonexistent", "the token file /nonexistent cannot be read. Check --token-file.")]
    public async Task A_join_needs_exactly_one_token(string line, string why)
    {
        CliResult result = await session.RunAsync(line.Split(' '));

        Assert.Equal($"overlayd: cannot join the cluster: {why}\n", result.Error);
        Assert.Equal(ExitCode.Usage, result.ExitCode);
    }

    [Fact]
    public async Task A_response_file_is_not_read()
    {
        CliResult result = await session.RunAsync("network", "create", "@/etc/passwd", "b");
        Assert.Equal("overlayd: overlayd network create does not take the argument 'b'.", result.Error.Split('\n')[0]);
    }

    [Fact]
    public async Task Every_verb_explains_itself_with_an_example()
    {
        foreach (Command command in Leaves(Tree()))
        {
            List<string> path = [];
            Command? at = command;
            while (at is not (null or RootCommand))
            {
                path.Insert(0, at.Name);
                at = at.Parents.OfType<Command>().FirstOrDefault();
            }

            CliResult result = await session.RunAsync([.. path, "--help"]);
            Assert.Equal(ExitCode.Ok, result.ExitCode);
            Assert.Equal("", result.Error);
            Assert.Contains(command.Description!, result.Out, StringComparison.Ordinal);
            Assert.Contains("\nExamples:\n", result.Out, StringComparison.Ordinal);
            Assert.Contains($"overlayd {string.Join(' ', path)}", result.Out, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Every_example_is_a_valid_command_line()
    {
        int count = 0;
        foreach (Verb verb in Leaves(Tree()).OfType<Verb>())
        {
            foreach (string example in verb.Examples.Where(
                static e => !e.Contains('$') && !e.StartsWith("source", StringComparison.Ordinal)))
            {
                string line = example.Split(" > ")[0].Split(" && ")[0];
                string[] words = [.. line.Split(' ').SkipWhile(static w => w != "overlayd").Skip(1)];
                ParseResult parse = Tree().Parse(words);
                Assert.Empty(parse.Errors);
                Assert.Null(StrayOption.Find(parse, words));
                Assert.Equal(verb.Name, parse.CommandResult.Command.Name);
                count++;
            }
        }

        Assert.True(count > 30);
    }

    [Fact]
    public void The_verbs_are_those_promised() => Assert.Equal(
        [
            "attach", "backup", "ca rotate", "ca show", "completion", "detach", "endpoint inspect", "endpoint ls",
            "gossip event", "gossip events", "gossip force-leave", "gossip join", "gossip key", "gossip keys", "gossip ls",
            "gossip query", "gossip rotate", "gossip rtt", "init", "join", "leave",
            "network create", "network inspect", "network ls", "network rm", "node demote", "node inspect", "node ls", "node promote", "node rm",
            "node update",
            "restore", "run", "sandbox create", "sandbox exec", "sandbox ls", "sandbox rm", "service create", "service inspect",
            "service ls", "service rm", "service update", "status",
            "store dump", "store repair", "store verify", "token rotate", "token show", "unlock", "unlock-key rotate", "unlock-key show",
            "update", "version",
        ],
        CompletionNode.OfTree(Tree()).Where(static n => n.Path.Length > 0 && n.Commands.Count == 0)
            .Select(static n => n.Path).Order(StringComparer.Ordinal));

    [Fact]
    public void Words_for_another_program_are_left_alone()
    {
        foreach (string line in new[] { "sandbox exec web -- ping -c 1 --help", "sandbox exec web ping -c 1 --help" })
        {
            string[] words = line.Split(' ');
            ParseResult parse = Tree().Parse(words);
            Assert.Empty(parse.Errors);
            Assert.Null(StrayOption.Find(parse, words));
        }
    }

    [Fact]
    public async Task An_option_of_exec_itself_must_be_known()
    {
        CliResult result = await session.RunAsync("sandbox", "exec", "--user", "web", "ls", "-l");
        Assert.StartsWith(
            "overlayd: overlayd sandbox exec has no option '--user'.", result.Error, StringComparison.Ordinal);
    }

    internal static RootCommand Tree() => CommandTree.Build(
        new Terminal
        {
            Out = TextWriter.Null,
            Error = TextWriter.Null,
            In = TextReader.Null,
            OutIsTerminal = false,
            Environment = static _ => null,
            Time = TimeProvider.System,
        },
        static (_, _) => Task.FromResult(0));

    private static IEnumerable<Command> Leaves(Command command)
    {
        List<Command> visible = [.. command.Subcommands.Where(static c => !c.Hidden)];
        return visible.Count == 0 ? [command] : visible.SelectMany(Leaves);
    }
}

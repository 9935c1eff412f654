using Overlay.Daemon.Cli;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

public sealed class OutputTests
{
    private static readonly OutputOptions Plain = new(
        Json: false, Quiet: false, Colour: false, Whole: false, Filters: []);

    private static readonly NetworkView[] Networks =
    [
        Network("0000000000001", "blue", 4096, "10.0.0.0/24", "fd00::/64", StillTime.Ago(TimeSpan.FromMinutes(3))),
        Network("0000000000002", "green-with-a-name-that-is-much-longer-than-a-column", 4097, "10.0.1.0/24", "", 0),
    ];

    private static readonly SandboxView[] Sandboxes =
    [
        new()
        {
            Name = "web",
            Path = "/run/netns/web",
            Endpoints = { new EndpointView { Network = "blue", Ipv4 = "10.0.0.2/24", Ipv6 = "fd00::2/64" } },
        },
        new()
        {
            Name = "a-name-that-is-much-longer-than-what-a-column-shows-of-it",
            Path = "/proc/7/ns/net",
            Endpoints = { new EndpointView { Network = "blue" }, new EndpointView { Network = "red" } },
        },
    ];

    [Fact]
    public void A_table_without_a_terminal_is_plain_columns() => Assert.Equal(
        """
        NAME                                               NAMESPACE        NETWORKS    ADDRESSES
        web                                                /run/netns/web   blue        10.0.0.2/24, fd00::2/64
        a-name-that-is-much-longer-than-what-a-column-s…   /proc/7/ns/net   blue, red   -

        """,
        Print(Plain, static output => output.List(Listings.Sandboxes, Sandboxes)));

    [Fact]
    public void A_network_is_one_row_with_its_age()
    {
        string[] rows = Print(Plain, static output => output.List(Listings.Networks, Networks)).Split('\n');
        Assert.Matches(
            "^0000000000001 +blue +10.0.0.0/24, fd00::/64 +4096 +1450 +attachable +3 minutes ago$", rows[1]);
        Assert.Matches("^0000000000002 +green-.*… +10.0.1.0/24 +4097 +- +- +-$", rows[2]);
    }

    [Fact]
    public void A_service_is_one_row_that_counts_its_backends_in_names_and_all()
    {
        ServiceView view = new()
        {
            Service = new()
            {
                Id = "0000000000001",
                Name = "web",
                EndpointMode = EndpointMode.Dnsrr,
                CreatedUnixMs = StillTime.Ago(TimeSpan.FromMinutes(3)),
            },
            Network = "blue",
            Backends = { new BackendView { InNames = true }, new BackendView() },
        };
        string[] rows = Print(Plain, output => output.List(Listings.Services, [view])).Split('\n');
        Assert.Matches("^ID +NAME +NETWORK +MODE +BACKENDS +VIP +SCHEDULER +PORTS +CREATED$", rows[0]);
        Assert.Matches("^0000000000001 +web +blue +dnsrr +1/2 +- +- +- +3 minutes ago$", rows[1]);
        foreach (string filter in new[] { "name=we", "network=blue", "mode=DNSRR", "id=0" })
        {
            Assert.Equal("0000000000001\n", Print(Plain with { Quiet = true, Filters = [filter] }, output => output.List(Listings.Services, [view])));
        }

        Assert.Equal("", Print(Plain with { Quiet = true, Filters = ["mode=vip"] }, output => output.List(Listings.Services, [view])));
    }

    [Fact]
    public void A_service_shows_its_virtual_addresses_and_its_scheduler()
    {
        ServiceView view = new()
        {
            Service = new()
            {
                Id = "0000000000001",
                Name = "web",
                EndpointMode = EndpointMode.Vip,
                VirtualAddresses = { "10.0.0.127", "fd00::ffff" },
                Scheduler = Scheduler.Sh,
                Ports = { new PublishedPort { Published = 80, Target = 8080, Protocol = PortProtocol.Tcp } },
                CreatedUnixMs = StillTime.Ago(TimeSpan.FromMinutes(3)),
            },
            Network = "blue",
        };
        string[] rows = Print(Plain, output => output.List(Listings.Services, [view])).Split('\n');
        Assert.Matches("^0000000000001 +web +blue +vip +0/0 +10.0.0.127, fd00::ffff +sh +\\*:80->8080/tcp +3 minutes ago$", rows[1]);
        foreach (string filter in new[] { "vip=fd00::ffff", "scheduler=SH", "mode=vip", "publish=80", "publish=80/tcp" })
        {
            Assert.Equal("0000000000001\n", Print(Plain with { Quiet = true, Filters = [filter] }, output => output.List(Listings.Services, [view])));
        }

        Assert.Equal("", Print(Plain with { Quiet = true, Filters = ["vip=10.0.0.12"] }, output => output.List(Listings.Services, [view])));
    }

    [Fact]
    public void An_empty_table_is_its_headings() => Assert.Equal(
        "NAME   NAMESPACE   NETWORKS   ADDRESSES\n",
        Print(Plain, static output => output.List(Listings.Sandboxes, [])));

    [Fact]
    public void Nothing_is_shortened_when_asked_so() => Assert.Contains(
        Networks[1].Network.Name,
        Print(Plain with { Whole = true }, static output => output.List(Listings.Networks, Networks)),
        StringComparison.Ordinal);

    [Fact]
    public void Quiet_prints_keys() => Assert.Equal(
        "0000000000001\n0000000000002\n",
        Print(Plain with { Quiet = true }, static output => output.List(Listings.Networks, Networks)));

    [Theory]
    [InlineData("name=blu", "0000000000001")]
    [InlineData("id=0000000000002", "0000000000002")]
    [InlineData("label=tier", "0000000000001")]
    [InlineData("label=tier=front", "0000000000001")]
    [InlineData("label=tier=back", "")]
    [InlineData("attachable=true name=green", "")]
    [InlineData("name=blue name=green", "0000000000001 0000000000002")]
    public void Filters_of_one_key_are_alternatives_and_of_two_keys_both_apply(string filters, string ids) =>
        Assert.Equal(
        ids,
        string.Join(' ', Print(
            Plain with { Quiet = true, Filters = filters.Split(' ') },
            static output => output.List(Listings.Networks, Networks)).Split('\n').SkipLast(1)));

    [Fact]
    public void An_unknown_filter_names_those_there_are()
    {
        FailureException failed = Assert.Throws<FailureException>(() => Print(
            Plain with { Filters = ["nam=x"] }, static output => output.List(Listings.Nodes, [])));
        Assert.Equal(
            "cannot filter nodes by 'nam': there is no such filter; did you mean name? "
            + "Use availability, id, label, name, role, status.",
            failed.Failure.Sentence);
        Assert.Equal(ExitCode.Usage, failed.Failure.ExitCode);
    }

    [Fact]
    public void A_listing_as_json_is_an_array_with_every_key_present() => Assert.Equal(
        """
        [
          {
            "name": "web",
            "path": "/run/netns/web",
            "createdByOverlayd": true,
            "endpoints": []
          },
          {
            "name": "",
            "path": "",
            "createdByOverlayd": false,
            "endpoints": []
          }
        ]

        """,
        Print(Plain with { Json = true }, static output => output.List(
            Listings.Sandboxes,
            [new SandboxView { Name = "web", Path = "/run/netns/web", CreatedByOverlayd = true }, new SandboxView()])));

    [Fact]
    public void An_inspection_is_an_array_whatever_the_format()
    {
        string table = Print(Plain, static output => output.Inspect([new DetachResponse { Id = "1" }]));
        Assert.Equal("[\n  {\n    \"id\": \"1\"\n  }\n]\n", table);
        Assert.Equal(table, Print(
            Plain with { Json = true }, static output => output.Inspect([new DetachResponse { Id = "1" }])));
    }

    [Fact]
    public void A_result_as_json_is_one_object() => Assert.Equal(
        "{\n  \"clusterId\": \"c\",\n  \"nodeId\": \"n\",\n  \"role\": \"NODE_ROLE_WORKER\"\n}\n",
        Print(Plain with { Json = true }, static output => output.Result(
            new JoinResponse { ClusterId = "c", NodeId = "n", Role = NodeRole.Worker }, "n")));

    [Fact]
    public void Control_characters_do_not_reach_the_terminal() => Assert.DoesNotContain(
        '\u001b',
        Print(Plain, static output => output.List(
            Listings.Sandboxes, [new SandboxView { Name = "a\u001b[2Jb\nc", Path = "/run/netns/a" }])));

    [Fact]
    public void Colour_is_for_states_and_columns_still_hold_all_values()
    {
        string text = Print(Plain with { Colour = true }, static output => output.List(
            Listings.Nodes, [new NodeView { Id = "n1", Hostname = "[red]host[/]", Status = "alive", Self = true }]));
        Assert.Contains("n1 *", text, StringComparison.Ordinal);
        Assert.Contains("[red]host[/]", text, StringComparison.Ordinal);
        Assert.Contains("alive", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "-")]
    [InlineData(1, "1 second ago")]
    [InlineData(59, "59 seconds ago")]
    [InlineData(60, "1 minute ago")]
    [InlineData(7200, "2 hours ago")]
    [InlineData(86_400 * 3, "3 days ago")]
    [InlineData(86_400 * 800, "2 years ago")]
    [InlineData(-5, "now")]
    public void Ages_read_like_speech(int seconds, string text) => Assert.Equal(
        text, ElapsedText.Ago(seconds == 0 ? 0 : StillTime.Ago(TimeSpan.FromSeconds(seconds)), StillTime.Noon));

    [Fact]
    public void Expiries_read_like_speech()
    {
        Assert.Equal("in 89 days", ElapsedText.Until(StillTime.Ago(-TimeSpan.FromDays(89.5)), StillTime.Noon));
        Assert.Equal("3 hours ago", ElapsedText.Until(StillTime.Ago(TimeSpan.FromHours(3)), StillTime.Noon));
        Assert.Equal("-", ElapsedText.Until(0, StillTime.Noon));
    }

    private static string Print(OutputOptions options, Action<Output> print)
    {
        using StringWriter output = new() { NewLine = "\n" };
        Terminal terminal = new()
        {
            Out = output,
            Error = TextWriter.Null,
            In = TextReader.Null,
            OutIsTerminal = false,
            Environment = static _ => null,
            Time = new StillTime(),
        };
        print(new Output(terminal, options));
        return output.ToString();
    }

    private static NetworkView Network(string id, string name, uint vni, string ipv4, string ipv6, long created)
    {
        NetworkObject network = new() { Id = id, Name = name, CreatedUnixMs = created, Attachable = name == "blue" };
        network.Segments.Add(new Segment
        {
            Vni = vni,
            Ipv4 = new AddressRange { Subnet = ipv4 },
            Ipv6 = ipv6.Length > 0 ? new AddressRange { Subnet = ipv6 } : null,
        });
        if (name == "blue")
        {
            network.Labels.Add("tier", "front");
        }

        return new NetworkView { Network = network, EffectiveMtu = name == "blue" ? 1450u : 0 };
    }
}

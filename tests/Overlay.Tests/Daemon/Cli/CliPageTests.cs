using System.CommandLine;
using System.Text.RegularExpressions;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Overlay.Daemon.Cli;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Cli;

/// <summary>docs/cli.md is what scripts are written by: its examples are exactly what the program prints.</summary>
public sealed partial class CliPageTests
{
    private static readonly string Page = File.ReadAllText(Path.Combine(Root(), "docs", "cli.md"));

    public static TheoryData<string, string> Examples =>
        [.. Example().Matches(Page).Where(static m => m.Groups[1].Value != "rows").Select(static m => (m.Groups[1].Value, m.Groups[2].Value))];

    [Theory]
    [MemberData(nameof(Examples))]
    public void An_example_has_every_key_and_no_other_in_the_programs_form(string type, string json)
    {
        MessageDescriptor descriptor = AdminReflection.Descriptor.MessageTypes.Single(m => m.Name == type.TrimEnd('[', ']'));
        string shown = type.EndsWith(']')
            ? Json.Array(System.Text.Json.JsonDocument.Parse(json).RootElement.EnumerateArray().Select(e => Parse(descriptor, e.GetRawText())))
            : Json.Object(Parse(descriptor, json));
        Assert.Equal(shown.ReplaceLineEndings("\n"), json);
    }

    [Fact]
    public void Every_verb_has_its_section_and_no_section_is_of_another()
    {
        Terminal terminal = new()
        {
            Out = TextWriter.Null,
            Error = TextWriter.Null,
            In = TextReader.Null,
            OutIsTerminal = false,
            Environment = static _ => null,
            Time = new StillTime(),
        };
        RootCommand root = CommandTree.Build(terminal, static (_, _) => Task.FromResult(0));
        SortedSet<string> verbs = new(StringComparer.Ordinal);
        Collect(root, "overlayd");
        Assert.Equal(verbs, new SortedSet<string>(Section().Matches(Page).Select(static m => m.Groups[1].Value), StringComparer.Ordinal));

        void Collect(Command command, string path)
        {
            foreach (Command sub in command.Subcommands.Where(static c => !c.Hidden))
            {
                if (sub.Subcommands.Count > 0 && sub.Name != "completion")
                {
                    Collect(sub, $"{path} {sub.Name}");
                }
                else
                {
                    verbs.Add($"{path} {sub.Name}");
                }
            }
        }
    }

    [Theory]
    [InlineData("StatusResponse")]
    [InlineData("ManagerSessionView")]
    [InlineData("GossipView")]
    [InlineData("DataplaneView")]
    [InlineData("VersionResponse")]
    [InlineData("InitResponse")]
    [InlineData("JoinResponse")]
    [InlineData("TokenResponse")]
    [InlineData("NodeView")]
    [InlineData("NetworkView")]
    [InlineData("PeerView")]
    [InlineData("ServiceView")]
    [InlineData("BackendView")]
    [InlineData("SandboxView")]
    [InlineData("EndpointView")]
    [InlineData("GossipMemberView")]
    [InlineData("GossipEventView")]
    [InlineData("QueryGossipResponse")]
    [InlineData("GossipKeyView")]
    [InlineData("CaView")]
    [InlineData("CaRotationView")]
    [InlineData("RotateGossipKeyResponse")]
    [InlineData("RoundTripResponse")]
    public void Every_field_is_explained(string type)
    {
        string tables = string.Join('\n', Page.Split('\n').Where(static line => line.StartsWith("| ", StringComparison.Ordinal)));
        MessageDescriptor descriptor = AdminReflection.Descriptor.MessageTypes.Single(m => m.Name == type);
        Assert.All(
            descriptor.Fields.InFieldNumberOrder(), field => Assert.Contains($"`{field.JsonName}`", tables, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_exit_code_is_told()
    {
        int[] codes = [.. typeof(ExitCode).GetFields().Select(static f => (int)f.GetRawConstantValue()!)];
        SortedSet<int> told = [.. Code().Matches(Page).SelectMany(static m => m.Groups[1].Value.Split(", ")).Select(int.Parse)];
        Assert.Equal(new SortedSet<int>(codes), told);
    }

    [Fact]
    public async Task Run_check_prints_rows_as_the_page_shows()
    {
        CliResult shown = await new CliSession().RunAsync("run", "--check", "--format", "json");
        string rows = Example().Matches(Page).Single(static m => m.Groups[1].Value == "rows").Groups[2].Value;
        foreach (string row in rows.Split("  {")[1..])
        {
            Assert.Contains(row.TrimEnd(']', '\n', ',', ' '), shown.Out, StringComparison.Ordinal);
        }

        Assert.Equal(2, rows.Split("  {")[1..].Length);
    }

    private static IMessage Parse(MessageDescriptor descriptor, string json) =>
        new JsonParser(JsonParser.Settings.Default.WithIgnoreUnknownFields(false)).Parse(json, descriptor);

    private static string Root()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Overlay.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }

    [GeneratedRegex(@"^<!-- (\S+) -->\n```json\n(.*?)\n```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Example();

    [GeneratedRegex("^### (overlayd [a-z -]+)$", RegexOptions.Multiline)]
    private static partial Regex Section();

    [GeneratedRegex(@"^\| (\d+(?:, \d+)*) \|", RegexOptions.Multiline)]
    private static partial Regex Code();
}

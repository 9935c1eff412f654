using System.CommandLine;
using System.CommandLine.Parsing;
using Overlay.Daemon.Configuration;

namespace Overlay.Daemon.Cli;

/// <summary>The options that every command has, and those that every listing has.</summary>
internal sealed class GlobalOptions
{
    public Option<string?> Socket { get; } = new("--socket")
    {
        Description = $"The agent's Unix socket [default: {SettingCatalog.DefaultSocket}; env: OVERLAYD_SOCKET]",
        HelpName = "PATH",
        Recursive = true,
    };

    public Option<string?> Format { get; } = Symbols.Choice("--format", "How data is printed", "table", "json");

    public Option<bool> Quiet { get; } = new("--quiet", "-q")
    {
        Description = "Print only ids, tokens or names, and no talk",
        Recursive = true,
    };

    public Option<TimeSpan?> Timeout { get; } = Symbols.Duration("--timeout", "Give up after this time [default: 30s]");

    public Option<bool> NoColor { get; } = new("--no-color")
    {
        Description = "Print without colours [env: NO_COLOR]",
        Recursive = true,
    };

    public Option<string[]> Filter { get; } = new("--filter", "-f")
    {
        Description =
            "Show only what matches, for example name=web; same keys are alternatives, different keys all apply",
        HelpName = "KEY=VALUE",
        Arity = ArgumentArity.OneOrMore,
    };

    public Option<bool> NoTrunc { get; } = new("--no-trunc") { Description = "Do not shorten long values" };

    public void AddTo(RootCommand root)
    {
        Format.Recursive = true;
        Timeout.Recursive = true;
        root.Add(Socket);
        root.Add(Format);
        root.Add(Quiet);
        root.Add(Timeout);
        root.Add(NoColor);
        Filter.Validators.Add(RefuseWithoutEquals);
    }

    private static void RefuseWithoutEquals(OptionResult result)
    {
        foreach (Token token in result.Tokens)
        {
            if (token.Value.IndexOf('=', StringComparison.Ordinal) <= 0)
            {
                result.AddError($"--filter is '{token.Value}': write it like name=web");
            }
        }
    }
}

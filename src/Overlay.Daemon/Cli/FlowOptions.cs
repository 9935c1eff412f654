using System.CommandLine;
using System.CommandLine.Parsing;
using Overlay.Daemon.Configuration;
using Overlay.V1;

namespace Overlay.Daemon.Cli;

/// <summary>How long a service's clients and flows are remembered.</summary>
internal sealed class FlowOptions
{
    private const string Off = "off";

    private readonly Option<string?> sticky;
    private readonly Option<string?> timeout;

    /// <param name="replaces">The service may have some, which go; with "off" no others take their place.</param>
    public FlowOptions(bool replaces = false)
    {
        string or = replaces ? "|off" : "";
        string orOff = replaces ? ", or off" : "";
        sticky = Symbols.Text(
            "--sticky", "DURATION" + or,
            "So long after its last new connection a client gets the same backend" + (replaces ? "" : " [default: off]"));
        sticky.Validators.Add(result => Each(
            result, text => (replaces && text == Off) || (DurationText.TryParse(text, out TimeSpan time) && time > TimeSpan.Zero),
            $"write a duration like 30s, 10m or 2h{orOff}"));
        timeout = Symbols.Text(
            "--timeout", "tcp=DURATION,tcpfin=DURATION,udp=DURATION" + or,
            "After how long without a packet nodes forget a connection, one that is half closed, and datagrams; of what is left out the kernel decides");
        timeout.Validators.Add(result => Each(
            result, text => (replaces && text == Off) || FlowTimeoutText.TryParse(text, out _),
            $"write some of tcp=, tcpfin= and udp=, as in tcp=2h,udp=5m{orOff}"));
    }

    public Symbol[] All => [sticky, timeout];

    /// <summary>Null: nothing is said of it; 0: off.</summary>
    public long? Sticky(Invocation run) =>
        run.Text(sticky) is not { Length: > 0 } text ? null : DurationText.TryParse(text, out TimeSpan time) ? (long)time.TotalMilliseconds : 0;

    /// <summary>Null: nothing is said of them; empty: off.</summary>
    public FlowTimeouts? Timeouts(Invocation run) =>
        run.Text(timeout) is not { Length: > 0 } text ? null : FlowTimeoutText.TryParse(text, out FlowTimeouts timeouts) ? timeouts : new();

    private static void Each(OptionResult result, Func<string, bool> isGood, string next)
    {
        foreach (Token token in result.Tokens.Where(t => !isGood(t.Value)))
        {
            result.AddError($"{result.Option.Name} is '{token.Value}': {next}");
        }
    }
}

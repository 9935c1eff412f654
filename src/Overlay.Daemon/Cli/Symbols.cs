using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Overlay.Daemon.Configuration;
using Overlay.Primitives;

namespace Overlay.Daemon.Cli;

/// <summary>Makers of options and arguments whose values are checked while the command line is parsed.</summary>
internal static class Symbols
{
    public static Option<bool> Switch(string name, string help, params string[] aliases) =>
        new(name, aliases) { Description = help };

    public static Option<string?> Text(string name, string valueName, string help) =>
        new(name) { Description = help, HelpName = valueName };

    public static Option<string[]> Texts(string name, string valueName, string help) =>
        new(name) { Description = help, HelpName = valueName, Arity = ArgumentArity.OneOrMore };

    public static Option<string?> Choice(string name, string help, params string[] choices)
    {
        Option<string?> option = Text(name, string.Join('|', choices), help);
        option.CompletionSources.Add(choices);
        option.Validators.Add(result => Each(result, text => choices.Contains(text), $"use {OneOf(choices)}"));
        return option;
    }

    public static Option<TimeSpan?> Duration(string name, string help) => new(name)
    {
        Description = help,
        HelpName = "DURATION",
        CustomParser = static result =>
        {
            if (result.Tokens is [var token]
                && DurationText.TryParse(token.Value, out TimeSpan span) && span > TimeSpan.Zero)
            {
                return span;
            }

            result.AddError($"{NameOf(result)} is '{Shown(result)}': write a duration like 500ms, 30s, 5m or 90d");
            return null;
        },
    };

    public static Option<uint> Number(string name, string unit, string help, uint minimum, uint maximum) => new(name)
    {
        Description = help,
        HelpName = unit,
        CustomParser = result =>
        {
            if (result.Tokens is [var token]
                && uint.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
                && number >= minimum && number <= maximum)
            {
                return number;
            }

            result.AddError($"{NameOf(result)} is '{Shown(result)}': use a number from {minimum} to {maximum}");
            return 0;
        },
    };

    public static Option<string?> AddressOrInterface(string name, string help, bool portAllowed = false)
    {
        Option<string?> option = Text(name, portAllowed ? "ADDR|INTERFACE[:PORT]" : "ADDR|INTERFACE", help);
        option.Validators.Add(result => Each(
            result,
            text => AddressRequest.TryParse(text, out AddressRequest request) && (portAllowed || request.Port == 0),
            portAllowed
                ? "use an address or an interface, and maybe a port"
                : "use an address or an interface, without a port"));
        return option;
    }

    public static Option<string[]> Prefixes(string name, string help)
    {
        Option<string[]> option = Texts(name, "PREFIX", help);
        option.Validators.Add(static result => Each(
            result, static text => AddressText.TryParsePrefix(text, out _),
            "use a prefix like 10.1.0.0/24 or fd00:1::/64, with no bits set after the length"));
        return option;
    }

    public static Option<string[]> Addresses(string name, string help)
    {
        Option<string[]> option = Texts(name, "ADDR", help);
        option.Validators.Add(static result => Each(
            result, static text => AddressText.TryParse(text, out _), "use an IP address"));
        return option;
    }

    public static Option<string?> Address(string name, AddressFamily family, string help)
    {
        Option<string?> option = Text(name, "ADDR", help);
        option.Validators.Add(result => Each(
            result, text => AddressText.TryParse(text, out IPAddress address) && address.AddressFamily == family,
            family == AddressFamily.InterNetwork ? "use an IPv4 address" : "use an IPv6 address"));
        return option;
    }

    public static Option<string?> Mac(string name, string help)
    {
        Option<string?> option = Text(name, "MAC", help);
        option.Validators.Add(static result => Each(
            result, static text => MacAddress.TryParse(text, out MacAddress mac) && !mac.IsZero && !mac.IsMulticast,
            "use a unicast Ethernet address like 02:42:0a:00:00:05"));
        return option;
    }

    public static Option<string[]> Labels(string name, string help)
    {
        Option<string[]> option = Texts(name, "KEY[=VALUE]", help);
        option.Validators.Add(static result =>
        {
            Each(result, static text => text.Length > 0 && text[0] != '=', "write it like tier=front");
            if (result.Tokens.GroupBy(static t => t.Value.Split('=', 2)[0]).Any(static g => g.Count() > 1))
            {
                result.AddError($"{result.Option.Name} gives one key twice: give each key once");
            }
        });
        return option;
    }

    /// <summary>A service, and maybe a weight: "web:10".</summary>
    public static Option<string?> Backend(string name, string help)
    {
        Option<string?> option = Text(name, "SERVICE[:WEIGHT]", help);
        option.Validators.Add(static result => Each(
            result, static text => BackendText.TryParse(text, out _, out _),
            "use a service's name, and maybe a weight from 1 to 65535, like web:10"));
        return option;
    }

    /// <summary>Ports to be published; see <see cref="PortText"/>.</summary>
    public static Option<string[]> Ports(string name, string help)
    {
        Option<string[]> option = Texts(name, "PORT", help);
        option.CompletionSources.Add("published=", "target=", "mode=host");
        option.Validators.Add(static result =>
        {
            foreach (Token token in result.Tokens)
            {
                if (PortText.Parse(token.Value, out string why) is null)
                {
                    result.AddError($"{result.Option.Name} is '{token.Value}': {why}");
                }
            }
        });
        return option;
    }

    /// <summary>Exactly one name of a thing of this kind, which shells can complete.</summary>
    public static NameArgument One(string name, NameKind kind, string help) =>
        new(name, kind) { Description = help, Arity = ArgumentArity.ExactlyOne };

    public static NamesArgument Many(string name, NameKind kind, string help) =>
        new(name, kind) { Description = help, Arity = ArgumentArity.OneOrMore };

    private static void Each(OptionResult result, Func<string, bool> valid, string hint)
    {
        foreach (Token token in result.Tokens)
        {
            if (!valid(token.Value))
            {
                result.AddError($"{result.Option.Name} is '{token.Value}': {hint}");
            }
        }
    }

    private static string OneOf(string[] choices) => choices switch
    {
        [var only] => only,
        [.. var firsts, var last] => $"{string.Join(", ", firsts)} or {last}",
        [] => "",
    };

    private static string NameOf(ArgumentResult result) =>
        result.Parent is OptionResult option ? option.Option.Name : result.Argument.Name;

    private static string Shown(ArgumentResult result) => string.Join(' ', result.Tokens.Select(static t => t.Value));
}

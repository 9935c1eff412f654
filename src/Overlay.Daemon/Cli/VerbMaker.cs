using System.CommandLine;

namespace Overlay.Daemon.Cli;

/// <summary>Ties verbs to what they do.</summary>
internal sealed class VerbMaker(Terminal terminal, GlobalOptions globals)
{
    public Terminal Terminal => terminal;

    public GlobalOptions Globals => globals;

    /// <summary>
    /// Makes <paramref name="verb"/> do <paramref name="body"/>, and have these options and arguments.
    /// </summary>
    public Verb Does(Verb verb, Func<Invocation, Task<int>> body, params ReadOnlySpan<Symbol> symbols)
    {
        foreach (Symbol symbol in symbols)
        {
            if (symbol is Option option)
            {
                verb.Add(option);
            }
            else
            {
                verb.Add((Argument)symbol);
            }
        }

        verb.SetAction(async (parse, stop) =>
        {
            Invocation invocation = new(terminal, globals, parse, stop);
            return await body(invocation);
        });
        return verb;
    }

    /// <summary>A listing: as <see cref="Does"/>, with --filter and --no-trunc.</summary>
    public Verb Lists(Verb verb, Func<Invocation, Task<int>> body, params ReadOnlySpan<Symbol> symbols)
    {
        verb.Aliases.Add("list");
        return Does(verb, body, [globals.Filter, globals.NoTrunc, .. symbols]);
    }

    /// <summary>A removal: as <see cref="Does"/>, also known as "remove".</summary>
    public Verb Removes(Verb verb, Func<Invocation, Task<int>> body, params ReadOnlySpan<Symbol> symbols)
    {
        verb.Aliases.Add("remove");
        return Does(verb, body, symbols);
    }

    /// <summary>A noun: a command that only holds others.</summary>
    public static Verb Noun(string name, string help, params ReadOnlySpan<Verb> verbs)
    {
        Verb noun = new(name, help);
        foreach (Verb verb in verbs)
        {
            noun.Add(verb);
        }

        return noun;
    }
}

using Google.Protobuf;

namespace Overlay.Daemon.Cli;

/// <summary>Prints results: data on standard output in the format asked for, talk on standard error.</summary>
internal sealed class Output(Terminal terminal, OutputOptions options)
{
    public OutputOptions Options => options;

    public DateTimeOffset Now => terminal.Time.GetUtcNow();

    /// <summary>A listing, after --filter.</summary>
    public void List<T>(Listing<T> listing, IReadOnlyList<T> items)
        where T : IMessage
    {
        IReadOnlyList<T> shown = Filters.Apply(listing, items, options.Filters);
        if (options.Quiet)
        {
            foreach (T item in shown)
            {
                terminal.Out.WriteLine(listing.Key(item));
            }
        }
        else if (options.Json)
        {
            terminal.Out.WriteLine(Json.Array(shown.Cast<IMessage>()));
        }
        else
        {
            Table(listing.Columns, shown);
        }
    }

    public void Table<T>(IReadOnlyList<Column<T>> columns, IReadOnlyList<T> items)
    {
        DateTimeOffset now = Now;
        List<string> headings = [.. columns.Select(static column => column.Heading)];
        List<Cell[]> rows =
        [
            .. items.Select(item => columns
                .Select(column => Cell.Of(column.Text(item, now), column.IsState, options.Whole)).ToArray()),
        ];
        if (options.Colour)
        {
            ColourTable.Write(terminal.Out, headings, rows);
        }
        else
        {
            PlainTable.Write(terminal.Out, headings, rows);
        }
    }

    /// <summary>A table of texts that are no message of the contract, by keys that are its headings too.</summary>
    public void Rows(IReadOnlyList<string> keys, IReadOnlyList<string[]> rows)
    {
        if (options.Json)
        {
            terminal.Out.WriteLine(Json.Rows(rows.Select(row => keys.Zip(row, static (key, value) => (key, value)).ToArray())));
        }
        else if (options.Quiet)
        {
            foreach (string[] row in rows)
            {
                terminal.Out.WriteLine(row[0]);
            }
        }
        else
        {
            PlainTable.Write(
                terminal.Out, [.. keys.Select(static key => key.ToUpperInvariant())],
                [.. rows.Select(row => row.Select(text => Cell.Of(text, isState: false, whole: true)).ToArray())]);
        }
    }

    /// <summary>Whole objects, always as a JSON array: an inspection has no table. Nothing if none was found.</summary>
    public void Inspect(IReadOnlyList<IMessage> messages)
    {
        if (messages.Count > 0)
        {
            terminal.Out.WriteLine(Json.Array(messages));
        }
    }

    /// <summary>The outcome of a change: its key for scripts and people alike, or the whole answer as JSON.</summary>
    public void Result(IMessage message, string key)
    {
        if (options.Json)
        {
            terminal.Out.WriteLine(Json.Object(message));
        }
        else if (key.Length > 0)
        {
            terminal.Out.WriteLine(key);
        }
    }

    public void Line(string text) => terminal.Out.WriteLine(text);

    /// <summary>"state: ready", in colour at a terminal.</summary>
    public void State(string before, string state)
    {
        if (options.Colour)
        {
            ColourTable.WriteState(terminal.Out, before, state);
        }
        else
        {
            terminal.Out.WriteLine(before + state);
        }
    }

    /// <summary>For people only: silent with -q and with JSON.</summary>
    public void Talk(string text)
    {
        if (!options.Quiet && !options.Json)
        {
            terminal.Error.WriteLine(text);
        }
    }
}

using Google.Protobuf;

namespace Overlay.Daemon.Cli;

/// <summary>How one kind of thing is listed: its columns, what -q prints, and what --filter understands.</summary>
internal sealed record Listing<T>
    where T : IMessage
{
    /// <summary>The plural, for messages: "networks".</summary>
    public required string Noun { get; init; }

    /// <summary>What -q prints, one a line.</summary>
    public required Func<T, string> Key { get; init; }

    public required IReadOnlyList<Column<T>> Columns { get; init; }

    /// <summary>By key of --filter: whether a thing matches a value.</summary>
    public required IReadOnlyDictionary<string, Func<T, string, bool>> Filters { get; init; }
}

/// <summary>One column of a table; <paramref name="IsState"/> lets a terminal colour it by its value.</summary>
internal sealed record Column<T>(string Heading, Func<T, DateTimeOffset, string> Text, bool IsState = false);

using System.CommandLine;

namespace Overlay.Daemon.Cli;

/// <summary>An argument whose value names something of a kind.</summary>
internal interface INameArgument
{
    NameKind Kind { get; }
}

/// <summary>One name.</summary>
internal sealed class NameArgument(string name, NameKind kind) : Argument<string>(name), INameArgument
{
    public NameKind Kind { get; } = kind;
}

/// <summary>One or more names.</summary>
internal sealed class NamesArgument(string name, NameKind kind) : Argument<string[]>(name), INameArgument
{
    public NameKind Kind { get; } = kind;
}

using System.CommandLine;

namespace Overlay.Daemon.Cli;

/// <summary>A command with examples, which its help text ends with.</summary>
internal sealed class Verb(string name, string help, params string[] examples) : Command(name, help)
{
    public IReadOnlyList<string> Examples { get; } = examples;
}

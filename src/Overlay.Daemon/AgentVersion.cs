using System.Reflection;
using System.Text;

namespace Overlay.Daemon;

/// <summary>The version of this executable, as the build wrote it: "1.2.3" or "1.2.3+revision".</summary>
internal static class AgentVersion
{
    public static string Text => Informational.Split('+', 2)[0];

    /// <summary>Of the source; empty when the build did not know it.</summary>
    public static string Revision => Informational.Split('+', 2) is [_, var revision] ? revision : "";

    public static string Runtime => $".NET {Environment.Version}";

    /// <summary>Prints the usual line past the writers of the console, which cost more to set up than the rest.</summary>
    public static void WriteSentence()
    {
        using Stream output = Console.OpenStandardOutput();
        output.Write(Encoding.UTF8.GetBytes(Sentence(Text, Revision, Runtime) + "\n"));
    }

    private static string Informational =>
        typeof(AgentVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? "0.0.0";

    /// <summary>overlayd 1.2.3 (0123abcd, .NET 10.0.1)</summary>
    public static string Sentence(string version, string revision, string runtime) =>
        revision.Length == 0
            ? $"overlayd {version} ({runtime})"
            : $"overlayd {version} ({revision[..Math.Min(12, revision.Length)]}, {runtime})";
}

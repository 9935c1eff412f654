using System.CommandLine;
using Overlay.Daemon.Cli.Verbs;

namespace Overlay.Daemon.Cli;

/// <summary>The verbs of overlayd.</summary>
internal static class CommandTree
{
    private static readonly (string Name, Func<VerbMaker, AgentRunner, RootCommand, Command> Make)[] Verbs =
    [
        ("run", static (maker, runAgent, _) => RunVerb.Make(maker, runAgent)),
        ("init", static (maker, _, _) => ClusterVerbs.MakeInit(maker)),
        ("join", static (maker, _, _) => ClusterVerbs.MakeJoin(maker)),
        ("leave", static (maker, _, _) => ClusterVerbs.MakeLeave(maker)),
        ("unlock", static (maker, _, _) => LockVerbs.MakeUnlock(maker)),
        ("unlock-key", static (maker, _, _) => LockVerbs.MakeKey(maker)),
        ("update", static (maker, _, _) => UpdateVerb.Make(maker)),
        ("token", static (maker, _, _) => TokenVerbs.Make(maker)),
        ("ca", static (maker, _, _) => CaVerbs.Make(maker)),
        ("node", static (maker, _, _) => NodeVerbs.Make(maker)),
        ("network", static (maker, _, _) => NetworkVerbs.Make(maker)),
        ("service", static (maker, _, _) => ServiceVerbs.Make(maker)),
        ("sandbox", static (maker, _, _) => SandboxVerbs.Make(maker)),
        ("attach", static (maker, _, _) => EndpointVerbs.MakeAttach(maker)),
        ("detach", static (maker, _, _) => EndpointVerbs.MakeDetach(maker)),
        ("endpoint", static (maker, _, _) => EndpointVerbs.Make(maker)),
        ("backup", static (maker, _, _) => BackupVerbs.MakeBackup(maker)),
        ("restore", static (maker, _, _) => BackupVerbs.MakeRestore(maker)),
        ("gossip", static (maker, _, _) => GossipVerbs.Make(maker)),
        ("store", static (maker, _, _) => StoreVerbs.Make(maker)),
        ("status", static (maker, _, _) => StatusVerb.Make(maker)),
        ("version", static (maker, _, _) => VersionVerb.Make(maker)),
        ("completion", static (maker, _, root) => CompletionVerbs.Make(maker, root)),
        (CompletionScript.NamesCommand, static (maker, _, _) => CompletionVerbs.MakeNames(maker)),
    ];

    /// <summary>All verbs.</summary>
    public static RootCommand Build(Terminal terminal, AgentRunner runAgent) =>
        Build(terminal, runAgent, static _ => true);

    /// <summary>
    /// Only the verbs that <paramref name="arguments"/> name, which is what running them takes: a command that is run
    /// a thousand times by a script should not make fourteen others each time. Null where a whole tree is needed.
    /// </summary>
    public static RootCommand? BuildFor(IReadOnlyCollection<string> arguments, Terminal terminal, AgentRunner runAgent) =>
        arguments.Contains("completion") || !Array.Exists(Verbs, v => arguments.Contains(v.Name))
            ? null
            : Build(terminal, runAgent, arguments.Contains);

    private static RootCommand Build(Terminal terminal, AgentRunner runAgent, Func<string, bool> wanted)
    {
        GlobalOptions globals = new();
        VerbMaker maker = new(terminal, globals);
        RootCommand root = new(
            "Overlay networks for any Linux machine: containers, namespaces and VMs of many hosts on one network.");
        globals.AddTo(root);
        foreach ((string name, Func<VerbMaker, AgentRunner, RootCommand, Command> make) in Verbs)
        {
            if (wanted(name))
            {
                root.Add(make(maker, runAgent, root));
            }
        }

        HelpWithExamples.Install(root);
        return root;
    }
}

using System.CommandLine;
using Overlay.Daemon.Cli.Verbs;

namespace Overlay.Daemon.Cli;

/// <summary>The verbs of overlayd.</summary>
internal static class CommandTree
{
    public static RootCommand Build(Terminal terminal, AgentRunner runAgent)
    {
        GlobalOptions globals = new();
        VerbMaker maker = new(terminal, globals);
        RootCommand root = new(
            "Overlay networks for any Linux machine: containers, namespaces and VMs of many hosts on one network.");
        globals.AddTo(root);
        root.Add(RunVerb.Make(maker, runAgent));
        root.Add(ClusterVerbs.MakeInit(maker));
        root.Add(ClusterVerbs.MakeJoin(maker));
        root.Add(ClusterVerbs.MakeLeave(maker));
        root.Add(TokenVerbs.Make(maker));
        root.Add(NodeVerbs.Make(maker));
        root.Add(NetworkVerbs.Make(maker));
        root.Add(SandboxVerbs.Make(maker));
        root.Add(EndpointVerbs.MakeAttach(maker));
        root.Add(EndpointVerbs.MakeDetach(maker));
        root.Add(EndpointVerbs.Make(maker));
        root.Add(StatusVerb.Make(maker));
        root.Add(VersionVerb.Make(maker));
        root.Add(CompletionVerbs.Make(maker, root));
        root.Add(CompletionVerbs.MakeNames(maker));
        HelpWithExamples.Install(root);
        return root;
    }
}

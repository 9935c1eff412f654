using System.CommandLine;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>sandbox create|ls|rm|exec</c>.</summary>
internal static class SandboxVerbs
{
    public static Verb Make(VerbMaker maker) => VerbMaker.Noun(
        "sandbox", "Named network namespaces of this host", Create(maker), List(maker), Remove(maker), Exec(maker));

    private static Verb Create(VerbMaker maker)
    {
        NameArgument name = Symbols.One("NAME", NameKind.None, "The sandbox's name");
        Verb verb = new("create", "Create a sandbox", "overlayd sandbox create web");
        return maker.Does(verb, CreateAsync, name);

        async Task<int> CreateAsync(Invocation run)
        {
            SandboxView made = await run.CallAsync(
                $"cannot create sandbox {run.Value(name)}",
                (agent, options) =>
                    agent.CreateSandboxAsync(new CreateSandboxRequest { Name = run.Value(name) }, options));
            run.Output.Result(made, made.Name);
            return ExitCode.Ok;
        }
    }

    private static Verb List(VerbMaker maker)
    {
        Verb verb = new("ls", "List sandboxes", "overlayd sandbox ls");
        return maker.Lists(verb, async run =>
        {
            ListSandboxesResponse answer = await run.CallAsync(
                "cannot list the sandboxes", static (agent, options) => agent.ListSandboxesAsync(new(), options));
            run.Output.List(Listings.Sandboxes, answer.Sandboxes);
            return ExitCode.Ok;
        });
    }

    private static Verb Remove(VerbMaker maker)
    {
        NamesArgument names = Symbols.Many("NAME", NameKind.Sandbox, "The sandbox's name");
        Option<bool> force = Symbols.Switch("--force", "Detach it from its networks first", "-f");
        Verb verb = new("rm", "Remove sandboxes", "overlayd sandbox rm web");
        return maker.Removes(verb, RemoveAsync, names, force);

        Task<int> RemoveAsync(Invocation run) => run.EachAsync(run.Value(names), async name =>
        {
            RemoveSandboxRequest request = new() { Name = name, Force = run.Value(force) };
            RemoveSandboxResponse answer = await run.CallAsync(
                $"cannot remove sandbox {name}", (agent, options) => agent.RemoveSandboxAsync(request, options));
            run.Output.Result(answer, name);
        });
    }

    private static Verb Exec(VerbMaker maker)
    {
        NameArgument name = Symbols.One(
            "NAME", NameKind.Sandbox, "The sandbox's name, or the path of a network namespace");
        Argument<string[]> command = new("COMMAND")
        {
            Description = "The program to run and its arguments; -- before it is optional",
            Arity = ArgumentArity.OneOrMore,
            CaptureRemainingTokens = true,
        };
        Verb verb = new(
            "exec", "Run a program inside a sandbox, with its names and network, and exit as it does",
            "overlayd sandbox exec web -- ping -c 2 db", "overlayd sandbox exec web bash");
        return maker.Does(verb, ExecAsync, name, command);

        Task<int> ExecAsync(Invocation run)
        {
            string[] words = run.Value(command);
            return Task.FromResult(SandboxExec.Replace(run.Value(name), words is ["--", .. var rest] ? rest : words));
        }
    }
}

using System.CommandLine;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>token show|rotate</c>.</summary>
internal static class TokenVerbs
{
    public static Verb Make(VerbMaker maker) => VerbMaker.Noun("token", "Join tokens", Show(maker), Rotate(maker));

    private static Verb Show(VerbMaker maker)
    {
        NameArgument role = Role();
        Verb verb = new(
            "show", "Print the command that joins a node",
            "overlayd token show worker", "overlayd token show -q worker");
        return maker.Does(verb, ShowAsync, role);

        async Task<int> ShowAsync(Invocation run)
        {
            string name = run.Value(role);
            TokenResponse answer = await run.CallAsync(
                $"cannot show the {name} token",
                (agent, options) =>
                    agent.ShowTokenAsync(new ShowTokenRequest { Role = RoleText.Parse(name) }, options));
            return Print(run, name, answer);
        }
    }

    private static Verb Rotate(VerbMaker maker)
    {
        NameArgument role = Role();
        Verb verb = new(
            "rotate", "Make a new token; the old one no longer joins anyone, and nodes that have joined stay",
            "overlayd token rotate worker");
        return maker.Does(verb, RotateAsync, role);

        async Task<int> RotateAsync(Invocation run)
        {
            string name = run.Value(role);
            TokenResponse answer = await run.CallAsync(
                $"cannot rotate the {name} token",
                (agent, options) =>
                    agent.RotateTokenAsync(new RotateTokenRequest { Role = RoleText.Parse(name) }, options));
            run.Output.Talk($"The old {name} token is no longer valid.");
            return Print(run, name, answer);
        }
    }

    private static int Print(Invocation run, string role, TokenResponse answer)
    {
        run.Output.Talk($"To add a {role}, run this on it:");
        run.Output.Talk("");
        run.Output.Result(answer, run.Output.Options.Quiet ? answer.Token : "    " + answer.JoinCommand);
        return ExitCode.Ok;
    }

    private static NameArgument Role()
    {
        NameArgument role = new("worker|manager", NameKind.Role)
        {
            Description = "Which token [default: worker]",
            Arity = ArgumentArity.ZeroOrOne,
            DefaultValueFactory = static _ => "worker",
        };
        role.Validators.Add(static result =>
        {
            if (result.Tokens is [{ Value: not ("worker" or "manager") and var text }])
            {
                result.AddError($"'{text}' is not a role: use worker or manager");
            }
        });
        return role;
    }
}

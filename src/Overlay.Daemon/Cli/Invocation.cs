using System.CommandLine;
using Grpc.Core;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>One run of one verb: what was parsed, where to print, and the agent to ask.</summary>
internal sealed class Invocation
{
    private static readonly TimeSpan UsualTimeout = TimeSpan.FromSeconds(30);

    private readonly GlobalOptions globals;
    private readonly Lazy<AgentConnection> connection;

    public Invocation(Terminal terminal, GlobalOptions globals, ParseResult parse, CancellationToken stop)
    {
        this.globals = globals;
        Terminal = terminal;
        Parse = parse;
        Stop = stop;
        connection = new(() => new AgentConnection(SocketPath, terminal.Time));
        Output = new Output(terminal, ReadOutputOptions());
    }

    public Terminal Terminal { get; }

    public ParseResult Parse { get; }

    public CancellationToken Stop { get; }

    public Output Output { get; }

    /// <summary>--socket, else OVERLAYD_SOCKET, else the usual place.</summary>
    public string SocketPath =>
        Parse.GetValue(globals.Socket)
        ?? (Terminal.Environment("OVERLAYD_SOCKET") is { Length: > 0 } path ? path : SettingCatalog.DefaultSocket);

    /// <summary>--timeout; null: the verb's own.</summary>
    public TimeSpan? Limit => Parse.GetValue(globals.Timeout);

    public T? Value<T>(Option<T> option) => Parse.GetValue(option);

    public string Text(Option<string?> option) => Parse.GetValue(option) ?? "";

    public string[] Texts(Option<string[]> option) => Parse.GetValue(option) ?? [];

    public T Value<T>(Argument<T> argument) => Parse.GetRequiredValue(argument);

    /// <summary>Asks the agent.</summary>
    /// <param name="what">What fails if this fails: "cannot list the networks".</param>
    /// <param name="call">The call, to be made with the options handed in.</param>
    /// <param name="timeout">When --timeout is not given; null: 30 s.</param>
    public async Task<T> CallAsync<T>(
        string what, Func<V1.Admin.AdminClient, CallOptions, AsyncUnaryCall<T>> call, TimeSpan? timeout = null)
    {
        TimeSpan limit = Limit ?? timeout ?? UsualTimeout;
        CallOptions options = new(deadline: Terminal.Time.GetUtcNow().UtcDateTime + limit, cancellationToken: Stop);
        try
        {
            using AsyncUnaryCall<T> answer = call(connection.Value.Client, options);
            return await answer.ResponseAsync;
        }
        catch (RpcException error)
        {
            throw new FailureException(connection.Value.Explain(error, what), error);
        }
    }

    /// <summary>
    /// Does something for each name; a failure is told and does not keep the others from being done. The exit code is
    /// that of the first failure.
    /// </summary>
    public async Task<int> EachAsync(IEnumerable<string> names, Func<string, Task> action)
    {
        int exitCode = ExitCode.Ok;
        foreach (string name in names)
        {
            try
            {
                await action(name);
            }
            catch (FailureException failed)
            {
                Tell(failed.Failure);
                exitCode = exitCode == ExitCode.Ok ? failed.Failure.ExitCode : exitCode;
                if (failed.Failure.ExitCode == ExitCode.AgentUnreachable)
                {
                    break;
                }
            }
        }

        return exitCode;
    }

    public void Tell(Failure failure) => CommandLine.Tell(Terminal, failure);

    private OutputOptions ReadOutputOptions()
    {
        bool plain = Parse.GetValue(globals.NoColor)
            || !Terminal.OutIsTerminal
            || Terminal.Environment("NO_COLOR") is { Length: > 0 }
            || Terminal.Environment("TERM") is "dumb";
        return new(
            Json: Parse.GetValue(globals.Format) == "json",
            Quiet: Parse.GetValue(globals.Quiet),
            Colour: !plain,
            Whole: Parse.GetValue(globals.NoTrunc),
            Filters: Parse.GetValue(globals.Filter) ?? []);
    }
}

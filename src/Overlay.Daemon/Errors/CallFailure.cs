using Grpc.Core;

namespace Overlay.Daemon.Errors;

/// <summary>What to tell a person when a call failed and the peer gave no details of its own.</summary>
internal static class CallFailure
{
    public static Failure Of(RpcException error, string what)
    {
        if (RefusalStatus.TryRead(error, out Failure failure))
        {
            return failure;
        }

        string detail = error.Status.Detail.Length > 0 ? error.Status.Detail.TrimEnd('.') : error.StatusCode.ToString();
        return error.StatusCode switch
        {
            StatusCode.DeadlineExceeded => new(
                what, "the agent did not answer in time",
                    "Try again with a larger --timeout, and see `overlayd status`",
                ExitCode.Timeout),
            StatusCode.Unimplemented => new(
                what, "the agent that runs is of another version and does not know this request",
                "Compare `overlayd version --server` and restart the agent", ExitCode.Failure),
            StatusCode.InvalidArgument => new(what, detail, "", ExitCode.Usage),
            StatusCode.NotFound => new(what, detail, "", ExitCode.NotFound),
            StatusCode.AlreadyExists => new(what, detail, "", ExitCode.Conflict),
            StatusCode.Cancelled => new(what, "the call was cancelled", "", ExitCode.Interrupted),
            StatusCode.Unavailable => new(
                what, $"the agent closed the connection ({detail})", "See its log: `journalctl -u overlayd`",
                ExitCode.AgentUnreachable),
            _ => new(what, detail, "See the agent's log: `journalctl -u overlayd`", ExitCode.Failure),
        };
    }
}

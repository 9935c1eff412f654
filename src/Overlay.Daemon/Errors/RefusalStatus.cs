using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.V1;

namespace Overlay.Daemon.Errors;

/// <summary>
/// How a <see cref="Failure"/> crosses gRPC: a google.rpc.Status with an ErrorDetail, in the trailer
/// <c>grpc-status-details-bin</c> (gRPC's richer error model). Written by the agent, read by the CLI.
/// </summary>
internal static class RefusalStatus
{
    public const string Trailer = "grpc-status-details-bin";

    /// <summary>
    /// Metadata larger than this is refused by some peers; a status that would be is sent without details.
    /// </summary>
    private const int LongestDetails = 4096;

    /// <summary>The exception a service method throws to refuse.</summary>
    public static RpcException Create(StatusCode code, Failure failure)
    {
        Google.Rpc.Status status = new() { Code = (int)code, Message = failure.Sentence };
        status.Details.Add(Any.Pack(new ErrorDetail
        {
            What = failure.What,
            Why = failure.Why,
            Next = failure.Next,
            ExitCode = failure.ExitCode,
        }));
        Metadata trailers = [];
        byte[] bytes = status.ToByteArray();
        if (bytes.Length <= LongestDetails)
        {
            trailers.Add(Trailer, bytes);
        }

        return new RpcException(new Status(code, failure.Sentence), trailers);
    }

    /// <inheritdoc cref="Create(StatusCode, Failure)"/>
    public static RpcException Create(StatusCode code, string what, string why, string next, int exitCode) =>
        Create(code, new Failure(what, why, next, exitCode));

    /// <summary>The value of an outcome, or the exception that refuses as the outcome does.</summary>
    public static T Require<T>(Outcome<T> outcome)
        where T : notnull => outcome.TryGet(out T? value, out Refusal? refusal) ? value : throw ToException(refusal);

    /// <summary>How the rooms' refusals are told to a caller.</summary>
    public static RpcException ToException(Refusal refusal)
    {
        (StatusCode code, int exitCode) = CodesOf(refusal.Kind);
        return Create(code, refusal.What, refusal.Why, refusal.Next, exitCode);
    }

    /// <summary>The refusal that a peer answered with; null where it sent none.</summary>
    public static Refusal? FromException(RpcException error) => TryRead(error, out Failure failure)
        ? new(KindOf(error.StatusCode, failure.ExitCode), failure.What, failure.Why, failure.Next)
        : null;

    private static RefusalKind KindOf(StatusCode code, int exitCode) => code switch
    {
        StatusCode.InvalidArgument => RefusalKind.Invalid,
        StatusCode.NotFound => RefusalKind.NotFound,
        StatusCode.AlreadyExists => RefusalKind.Conflict,
        StatusCode.ResourceExhausted => RefusalKind.Exhausted,
        StatusCode.PermissionDenied => RefusalKind.NotPermitted,
        StatusCode.FailedPrecondition => RefusalKind.NotInCluster,
        _ => exitCode == ExitCode.NoQuorum ? RefusalKind.NoQuorum : RefusalKind.Unavailable,
    };

    internal static (StatusCode Code, int ExitCode) CodesOf(RefusalKind kind) => kind switch
    {
        RefusalKind.Invalid => (StatusCode.InvalidArgument, ExitCode.Usage),
        RefusalKind.NotFound => (StatusCode.NotFound, ExitCode.NotFound),
        RefusalKind.Conflict => (StatusCode.AlreadyExists, ExitCode.Conflict),
        RefusalKind.Exhausted => (StatusCode.ResourceExhausted, ExitCode.Failure),
        RefusalKind.Unavailable => (StatusCode.Unavailable, ExitCode.Failure),
        RefusalKind.NotPermitted => (StatusCode.PermissionDenied, ExitCode.Failure),
        RefusalKind.NotInCluster => (StatusCode.FailedPrecondition, ExitCode.NotInCluster),
        RefusalKind.NoQuorum => (StatusCode.Unavailable, ExitCode.NoQuorum),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    /// <summary>
    /// The failure inside an exception that a call ended with, if the peer sent one that can be read.
    /// </summary>
    public static bool TryRead(RpcException error, out Failure failure)
    {
        failure = new("", "", "", ExitCode.Failure);
        byte[]? bytes = error.Trailers.FirstOrDefault(
            static entry => entry.Key == Trailer && entry.IsBinary)?.ValueBytes;
        if (bytes is null)
        {
            return false;
        }

        try
        {
            foreach (Any detail in Google.Rpc.Status.Parser.ParseFrom(bytes).Details)
            {
                if (detail.TryUnpack(out ErrorDetail read) && read.What.Length > 0)
                {
                    int exitCode = read.ExitCode is > 0 and < 256 ? read.ExitCode : ExitCode.Failure;
                    failure = new(read.What, read.Why, read.Next, exitCode);
                    return true;
                }
            }
        }
        catch (InvalidProtocolBufferException)
        {
            // A peer's bytes; the plain status still says what happened.
        }

        return false;
    }
}

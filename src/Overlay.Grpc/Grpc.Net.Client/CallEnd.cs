using Grpc.Core;

namespace Grpc.Net.Client;

/// <summary>How a call ended, decided once: by the server, by a failure, or for a reason of our own.</summary>
internal sealed class CallEnd
{
    public static readonly Status Cancelled = new(StatusCode.Cancelled, "Call canceled by the client.");
    public static readonly Status Disposed = new(StatusCode.Cancelled, "The call was disposed before its end.");
    public static readonly Status Expired = new(StatusCode.DeadlineExceeded, "Deadline Exceeded");

    private readonly Lock _gate = new();

    /// <summary>Why we stopped the call; null if we did not.</summary>
    public Status? Reason
    {
        get
        {
            lock (_gate)
            {
                return field;
            }
        }

        private set;
    }

    /// <summary>The call's status; null while it goes on.</summary>
    public Status? Status
    {
        get
        {
            lock (_gate)
            {
                return field;
            }
        }

        private set;
    }

    /// <summary>The server's trailers; empty if there were none.</summary>
    public Metadata Trailers { get; private set; } = Metadata.Empty;

    /// <summary>Notes why we stop the call; false if it is already stopped or over.</summary>
    public bool TryStop(Status reason)
    {
        lock (_gate)
        {
            if (Reason is not null || Status is not null)
            {
                return false;
            }

            Reason = reason;
            return true;
        }
    }

    public bool TryFinish(Status status, Metadata trailers)
    {
        lock (_gate)
        {
            if (Status is not null)
            {
                return false;
            }

            Trailers = trailers;
            Status = status;
            return true;
        }
    }
}

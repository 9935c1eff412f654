namespace Grpc.Core;

/// <summary>How a call ended: a code for programs and a sentence for people.</summary>
/// <param name="statusCode">The code that goes on the wire as <c>grpc-status</c>.</param>
/// <param name="detail">The sentence that goes on the wire as <c>grpc-message</c>.</param>
/// <param name="debugException">The local cause, if any; it never travels.</param>
public readonly struct Status(StatusCode statusCode, string detail, Exception? debugException) : IEquatable<Status>
{
    public static readonly Status DefaultSuccess = new(StatusCode.OK, "");

    public static readonly Status DefaultCancelled = new(StatusCode.Cancelled, "");

    private readonly string? _detail = detail;

    public Status(StatusCode statusCode, string detail)
        : this(statusCode, detail, null)
    {
    }

    public StatusCode StatusCode { get; } = statusCode;

    public string Detail => _detail ?? "";

    public Exception? DebugException { get; } = debugException;

    public static bool operator ==(Status left, Status right) => left.Equals(right);

    public static bool operator !=(Status left, Status right) => !left.Equals(right);

    public bool Equals(Status other) =>
        StatusCode == other.StatusCode
        && string.Equals(Detail, other.Detail, StringComparison.Ordinal)
        && Equals(DebugException, other.DebugException);

    public override bool Equals(object? obj) => obj is Status other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(StatusCode, Detail);

    public override string ToString() => DebugException is null
        ? $"Status(StatusCode=\"{StatusCode}\", Detail=\"{Detail}\")"
        : $"Status(StatusCode=\"{StatusCode}\", Detail=\"{Detail}\", DebugException=\"{DebugException.Message}\")";
}

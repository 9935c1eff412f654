namespace Overlay.Daemon.Errors;

/// <summary>Carries a <see cref="Failure"/> from deep inside a command to the one place that prints it.</summary>
internal sealed class FailureException(Failure failure, Exception? cause = null) : Exception(failure.Sentence, cause)
{
    public FailureException(string what, string why, string next, int exitCode)
        : this(new(what, why, next, exitCode))
    {
    }

    public Failure Failure { get; } = failure;
}

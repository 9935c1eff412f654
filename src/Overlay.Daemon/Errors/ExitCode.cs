namespace Overlay.Daemon.Errors;

/// <summary>The exit codes of the CLI. They are a promise to scripts: add, never renumber.</summary>
internal static class ExitCode
{
    public const int Ok = 0;
    public const int Failure = 1;
    public const int Usage = 2;
    public const int AgentUnreachable = 3;
    public const int NotInCluster = 4;
    public const int Degraded = 5;
    public const int NoQuorum = 6;
    public const int Timeout = 7;
    public const int NotFound = 8;
    public const int Conflict = 9;

    /// <summary>As shells report a program that may not be executed.</summary>
    public const int CannotExecute = 126;

    /// <summary>As shells report a program that does not exist.</summary>
    public const int CommandNotFound = 127;

    /// <summary>As shells report a program ended by SIGINT.</summary>
    public const int Interrupted = 130;
}

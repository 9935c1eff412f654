namespace Overlay.Daemon.Cli;

/// <summary>What the value of an argument names, so that shells can ask the agent for the names there are.</summary>
internal enum NameKind
{
    /// <summary>Free text, such as the name of something new.</summary>
    None,
    Network,
    Sandbox,
    Node,
    Endpoint,
    Service,

    /// <summary>The role of a token: worker or manager.</summary>
    Role,

    /// <summary>A shell that completion scripts exist for.</summary>
    Shell,
}

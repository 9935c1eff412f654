namespace Overlay.Daemon.Checks;

/// <summary>A backend is not well; the message is what operators see.</summary>
internal sealed class ProbeFault(string message) : Exception(message);

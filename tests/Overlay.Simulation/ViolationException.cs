namespace Overlay.Simulation;

/// <summary>An invariant of the whole system does not hold.</summary>
internal sealed class ViolationException(string message) : Exception(message);

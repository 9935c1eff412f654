namespace Overlay.Daemon.Cli;

/// <summary>How results are printed.</summary>
/// <param name="Json">--format json.</param>
/// <param name="Quiet">-q: keys only.</param>
/// <param name="Colour">A terminal, and neither NO_COLOR, TERM=dumb nor --no-color.</param>
/// <param name="Whole">--no-trunc.</param>
/// <param name="Filters">--filter, each with an equals sign.</param>
internal sealed record OutputOptions(bool Json, bool Quiet, bool Colour, bool Whole, IReadOnlyList<string> Filters);

using System.Globalization;
using Overlay.Node;

namespace Overlay.Daemon.Cli;

/// <summary>"web" or "web:10": the service that an endpoint is to be a backend of, and its weight there.</summary>
internal static class BackendText
{
    /// <param name="weight">0: none is given.</param>
    public static bool TryParse(string text, out string service, out uint weight)
    {
        weight = 0;
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        service = colon < 0 ? text : text[..colon];
        return service.Length > 0
            && (colon < 0
                || (uint.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out weight)
                    && weight is > 0 and <= EndpointState.MaxWeight));
    }
}
